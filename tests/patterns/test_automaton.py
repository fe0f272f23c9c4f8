"""The automaton's rules, its walk, and every error it can raise."""

import copy
import itertools

import numpy as np
import pytest

from vrnn.patterns import Automaton, Circle, Oval, Polygon

WIDE, THIN = Oval([1.9, 1.1], [0, -0.1], start=90), Oval([0.7, 1.1], [0, -0.1], start=90)
EYE = {
    "states": {"wide": {"curve": WIDE, "laps": 1}, "thin": {"curve": THIN, "laps": 1}},
    "transitions": {"wide": {"wide": "2/3", "thin": "1/3"}, "thin": {"wide": 0.25, "thin": 0.75}},
    "start": "wide",
}
LEFT, RIGHT = Circle(0.9, [-1.2, 0], start=90), Circle(0.9, [1.2, 0], start=-90)


def switch(laps: float) -> Automaton:
    return Automaton(
        states={"left": {"curve": LEFT, "laps": laps}, "right": {"curve": RIGHT, "laps": laps}},
        transitions={"left": {"right": 1}, "right": {"left": 1}},
        start="left",
        crossing="line",
    )


def test_walk_has_the_matrix_frequencies():
    automaton = Automaton(**EYE)
    states = np.array(list(itertools.islice(automaton.walk(np.random.default_rng(1)), 20_000)))
    for i in range(2):
        after = states[1:][states[:-1] == i]
        p = automaton.matrix[i, 0]
        # 4.5 standard errors: fails by chance for less than 1 seed in 70 000, for each of the two rows
        assert abs((after == 0).mean() - p) < 4.5 * np.sqrt(p * (1 - p) / len(after))


def test_stationary_shares_and_pattern_fractions():
    automaton = Automaton(**EYE)
    np.testing.assert_allclose(automaton.stationary, [3 / 7, 4 / 7], rtol=1e-9)  # pi_wide / 3 = pi_thin / 4
    cycle = copy.copy(EYE) | {
        "states": {"wide": {"curve": WIDE, "laps": 3}, "thin": {"curve": THIN, "laps": 1}},
        "transitions": {"wide": {"thin": 1}, "thin": {"wide": 1}},
    }
    np.testing.assert_allclose(Automaton(**cycle).stationary, [0.5, 0.5])  # periodic
    np.testing.assert_allclose(Automaton(**cycle).pattern_fractions, [0.75, 0.25])
    absorbed = EYE | {"transitions": {"wide": {"wide": 0.5, "thin": 0.5}, "thin": {"thin": 1}}}
    np.testing.assert_allclose(Automaton(**absorbed).stationary, [0, 1], atol=1e-12)


def test_pieces_of_a_junction_are_its_curves():
    automaton = Automaton(**EYE)
    assert [piece.label for piece in automaton.pieces] == ["wide", "thin"]
    assert len(automaton.cut_points) == 1
    for piece, curve in zip(automaton.pieces, (WIDE, THIN), strict=True):
        assert piece.length == pytest.approx(curve.length, rel=1e-6)
        np.testing.assert_allclose(piece.points, curve.at(np.linspace(0, curve.length, len(piece.points))), atol=1e-3)


def test_half_laps_cross_by_a_line():
    automaton = switch(2.5)
    assert [piece.label for piece in automaton.pieces] == ["left", "left->right", "right", "right->left"]
    assert [piece.laps for piece in automaton.pieces] == [1, 0.5, 1, 0.5]
    assert automaton.visit(0, 1) == [0, 0, 1]
    over = automaton.pieces[1]
    assert over.length == pytest.approx(np.pi * 0.9 + 2.4, rel=1e-5)
    np.testing.assert_allclose(over.points[[0, -1]], [[-1.2, 0.9], [1.2, -0.9]], atol=1e-9)
    assert over.points[:, 1].min() == pytest.approx(-0.9, abs=1e-3)


def test_whole_laps_cross_by_the_line_alone():
    automaton = switch(5)
    assert [piece.laps for piece in automaton.pieces] == [1, 0, 1, 0]
    assert automaton.visit(1, 0) == [2, 2, 2, 2, 2, 3]
    assert automaton.pieces[1].length == pytest.approx(np.hypot(2.4, 1.8), rel=1e-9)


def test_piece_walk_follows_the_visits():
    pieces = list(itertools.islice(switch(2.5).piece_walk(np.random.default_rng(0)), 9))
    assert pieces == [0, 0, 1, 2, 2, 3, 0, 0, 1]


def broken(**changes):
    return copy.copy(EYE) | changes


def laps(value):
    return {"wide": {"curve": WIDE, "laps": value}, "thin": {"curve": THIN, "laps": 1}}


AWAY = {"wide": {"curve": WIDE, "laps": 1}, "thin": {"curve": Polygon([[0, 0], [1, 0], [0, 1]]), "laps": 1}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (broken(states={}), "automaton.states: expected at least one"),
        (broken(states={"wide": WIDE}), "automaton.states.wide: expected the entries 'curve' and 'laps'"),
        (broken(states={"wide": {"curve": WIDE, "lap": 1}}), "automaton.states.wide: expected the entries"),
        (broken(states={"wide": {"curve": "oval", "laps": 1}}), "automaton.states.wide.curve: expected a curve"),
        (broken(states=laps(0)), "automaton.states.wide.laps: expected laps > 0, got 0"),
        (broken(states=laps(-2)), "automaton.states.wide.laps: expected laps > 0, got -2"),
        (broken(states=laps("two")), "automaton.states.wide.laps: expected a finite number"),
        (broken(states=laps(2.5)), "automaton.states.wide.laps: 2.5 laps end away from the junction"),
        (broken(start="round"), "automaton.start: unknown state 'round'; the states are wide, thin"),
        (
            broken(transitions={"wide": {"thin": 1}, "thin": {"wide": 0.5}}),
            "automaton.transitions.thin: expected probabilities that sum to 1, got 0.5",
        ),
        (broken(transitions={"wide": {"thin": 1}}), "automaton.transitions.thin: expected .* got 0"),
        (
            broken(transitions={"wide": {"wide": 1.5, "thin": -0.5}, "thin": {"wide": 1}}),
            "automaton.transitions.wide.wide: expected a probability .* got 1.5",
        ),
        (
            broken(transitions={"wide": {"thin": -0.5, "wide": 1}, "thin": {"wide": 1}}),
            "automaton.transitions.wide.thin: expected a probability .* got -0.5",
        ),
        (broken(transitions={"wide": {"thin": "2/0"}}), "automaton.transitions.wide.thin: expected a probability"),
        (broken(transitions={"wide": {"thin": "most"}}), "automaton.transitions.wide.thin: expected a probability"),
        (broken(transitions={"wide": "thin"}), "automaton.transitions.wide: expected {state: probability"),
        (broken(transitions={"round": {"thin": 1}}), "automaton.transitions: unknown state 'round'"),
        (broken(transitions={"wide": {"round": 1}}), "automaton.transitions.wide: unknown state 'round'"),
        (
            broken(transitions={"wide": {"wide": 1}, "thin": {"wide": 1}}),
            "automaton.states.thin: unreachable from the start state 'wide'",
        ),
        (broken(states=AWAY), r"automaton.states.thin.curve misses the junction \[-?0.0, 1.0\] by 1"),
        (broken(junction=[0, 1.001]), r"automaton.states.wide.curve misses the junction \[0.0, 1.001\]"),
        (broken(junction=[0]), "automaton.junction: expected two numbers"),
        (broken(junction=[0, 1], crossing="line"), "automaton.junction: expected none with crossing"),
        (broken(crossing="jump"), "automaton.crossing: expected null or 'line', got 'jump'"),
    ],
)
def test_a_bad_automaton_is_told_what_is_wrong(config, message):
    with pytest.raises(ValueError, match=message):
        Automaton(**config)


def test_part_of_a_lap_on_a_line_is_the_line_alone():
    """Half a lap is drawn as the way to the crossing, which is the crossing's own piece."""
    automaton = switch(0.5)
    assert [len(automaton.visit(state, 1 - state)) for state in (0, 1)] == [1, 1]
