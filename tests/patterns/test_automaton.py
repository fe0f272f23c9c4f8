"""The automaton: its walk, its pieces, and every error it can raise."""

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
    """Two circles with a crossing between them."""
    return Automaton(
        states={"left": {"curve": LEFT, "laps": laps}, "right": {"curve": RIGHT, "laps": laps}},
        transitions={"left": {"right": 1}, "right": {"left": 1}},
        start="left",
        crossing="line",
    )


def test_walk_has_the_frequencies_of_the_matrix():
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
    cycle = EYE | {
        "states": {"wide": {"curve": WIDE, "laps": 3}, "thin": {"curve": THIN, "laps": 1}},
        "transitions": {"wide": {"thin": 1}, "thin": {"wide": 1}},
    }
    np.testing.assert_allclose(Automaton(**cycle).stationary, [0.5, 0.5])  # periodic
    np.testing.assert_allclose(Automaton(**cycle).pattern_fractions, [0.75, 0.25])
    absorbed = EYE | {"transitions": {"wide": {"wide": 0.5, "thin": 0.5}, "thin": {"thin": 1}}}
    np.testing.assert_allclose(Automaton(**absorbed).stationary, [0, 1], atol=1e-12)


def test_pieces_at_a_junction_are_the_curves():
    automaton = Automaton(**EYE)
    assert [piece.label for piece in automaton.pieces] == ["wide", "thin"]
    assert len(automaton.cut_points) == 1
    for piece, curve in zip(automaton.pieces, (WIDE, THIN), strict=True):
        assert piece.length == pytest.approx(curve.length, rel=1e-6)
        np.testing.assert_allclose(piece.points, curve.at(np.linspace(0, curve.length, len(piece.points))), atol=1e-3)


def test_half_a_lap_and_the_line_are_one_piece():
    automaton = switch(2.5)
    assert [piece.label for piece in automaton.pieces] == ["left", "left->right", "right", "right->left"]
    assert [piece.laps for piece in automaton.pieces] == [1, 0.5, 1, 0.5]
    assert automaton.visit(0, 1) == [0, 0, 1]
    crossing = automaton.pieces[1]
    assert crossing.length == pytest.approx(np.pi * 0.9 + 2.4, rel=1e-5)
    np.testing.assert_allclose(crossing.points[[0, -1]], [[-1.2, 0.9], [1.2, -0.9]], atol=1e-9)
    assert crossing.points[:, 1].min() == pytest.approx(-0.9, abs=1e-3)


def test_after_whole_laps_the_line_is_a_piece():
    automaton = switch(5)
    assert [piece.laps for piece in automaton.pieces] == [1, 0, 1, 0]
    assert automaton.visit(1, 0) == [2, 2, 2, 2, 2, 3]
    assert automaton.pieces[1].length == pytest.approx(np.hypot(2.4, 1.8), rel=1e-9)


def test_piece_walk_follows_the_visits():
    pieces = list(itertools.islice(switch(2.5).piece_walk(np.random.default_rng(0)), 9))
    assert pieces == [0, 0, 1, 2, 2, 3, 0, 0, 1]


def changed(**changes):
    return EYE | changes


def laps(value):
    return {"wide": {"curve": WIDE, "laps": value}, "thin": {"curve": THIN, "laps": 1}}


AWAY = {"wide": {"curve": WIDE, "laps": 1}, "thin": {"curve": Polygon([[0, 0], [1, 0], [0, 1]]), "laps": 1}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (changed(states={}), "states must be at least one state"),
        (changed(states={"wide": WIDE}), r"states.wide must be a mapping with the entries ['curve', 'laps'], but is <"),
        (changed(states={"wide": {"curve": WIDE, "lap": 1}}), "states.wide must be a mapping"),
        (changed(states={"wide": {"curve": "oval", "laps": 1}}), "states.wide.curve must be a Curve, but is 'oval'"),
        (changed(states=laps(0)), "states.wide.laps must be a number > 0, but is 0"),
        (changed(states=laps(-2)), "states.wide.laps must be a number > 0, but is -2"),
        (changed(states=laps("two")), "states.wide.laps must be a number > 0, but is 'two'"),
        (changed(states=laps(2.5)), "states.wide.laps must be a whole number, but is 2.5: "),
        (changed(start="round"), "start must be one of wide, thin, but is 'round'"),
        (
            changed(transitions={"wide": {"thin": 1}, "thin": {"wide": 0.5}}),
            "the sum of dataset.automaton.transitions.thin must be 1, but is 0.5: change",
        ),
        (changed(transitions={"wide": {"thin": 1}}), "transitions.thin must be 1, but is 0.0"),
        (
            changed(transitions={"wide": {"wide": 1.5, "thin": -0.5}, "thin": {"wide": 1}}),
            "transitions.wide.wide must be a probability such as 0.25 or 2/3, but is 1.5",
        ),
        (
            changed(transitions={"wide": {"thin": -0.5, "wide": 1}, "thin": {"wide": 1}}),
            "transitions.wide.thin must be a probability such as 0.25 or 2/3, but is -0.5",
        ),
        (changed(transitions={"wide": {"thin": "2/0"}}), "transitions.wide.thin must be a probability"),
        (changed(transitions={"wide": {"thin": "most"}}), "transitions.wide.thin must be a probability"),
        (changed(transitions={"wide": {"thin": True}}), "transitions.wide.thin must be a probability"),
        (changed(transitions={"wide": {"thin": [1]}}), "transitions.wide.thin must be a probability"),
        (changed(transitions={"wide": "thin"}), "transitions.wide must be {state: probability, …}, but is 'thin'"),
        (
            changed(transitions={"round": {"thin": 1}}),
            "name of dataset.automaton.transitions.round must be one of wide",
        ),
        (
            changed(transitions={"wide": {"round": 1}}),
            "name of dataset.automaton.transitions.wide.round must be one of",
        ),
        (
            changed(transitions={"wide": {"wide": 1}, "thin": {"wide": 1}}),
            "states.thin must be reachable from the start state wide, but no transitions lead to it",
        ),
        (changed(states=AWAY), "states.thin.curve must start at the junction [0.0, 1.0], but starts at [0.0, 0.0]"),
        (changed(junction=[0, 1.001]), "states.wide.curve must start at the junction [0.0, 1.001], but starts at"),
        (changed(junction=[0]), "junction must be two finite numbers [x, y], but is [0]"),
        (changed(junction=[0, 1], crossing="line"), "junction must be null with crossing: line, but is [0, 1]: remove"),
        (changed(crossing="jump"), "crossing must be one of null, line, but is 'jump'"),
    ],
)
def test_errors_name_the_entry(config, message):
    with pytest.raises(ValueError, match=r"dataset\.automaton\..*") as error:
        Automaton(**config)
    assert message in str(error.value)


def test_a_visit_shorter_than_a_lap_is_one_piece():
    """The half lap is part of the piece that crosses."""
    automaton = switch(0.5)
    assert [len(automaton.visit(state, 1 - state)) for state in (0, 1)] == [1, 1]
