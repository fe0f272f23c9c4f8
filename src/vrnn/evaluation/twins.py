"""States that share a curve: no lap shows which of them it belongs to, but the visit before does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrnn.checks import require
from vrnn.patterns import Automaton

TOLERANCE = 1e-6  # largest distance between two curves that count as one, relative to the automaton's size


def find_twins(automaton: Automaton) -> NDArray[np.int64]:
    """Return for each state the first state with the same curve, (n,): the state itself where no other shares its curve.

    Raises:
        ValueError: The visit before cannot tell two such states apart: both can follow one state, or one can follow the other;
            or laps of different length join them, with `crossing`.
    """
    names, matrix = automaton.names, automaton.matrix
    first = np.arange(len(names))
    for j, curve in enumerate(automaton.curves):
        for i in range(j):
            along = np.linspace(0.0, curve.length, 65)
            same = np.isclose(automaton.curves[i].length, curve.length)
            if same and np.abs(automaton.curves[i].at(along) - curve.at(along)).max() < TOLERANCE * automaton.size:
                first[j] = first[i]
                break
    for source in range(len(names)):
        successors = np.flatnonzero(matrix[source])
        require(
            len(np.unique(first[successors])) == len(successors),
            f"dataset.automaton.transitions.{names[source]}",
            "successors with different curves",
            [names[j] for j in successors],
            "let one of the states that share a curve follow, so that the judge of laps can tell them apart",
        )
    alone = first == np.arange(len(names))
    for j in np.flatnonzero(~alone).tolist():
        family = np.flatnonzero(first == first[j])
        met = matrix[np.ix_(family, family)] * (1 - np.eye(len(family)))
        require(
            not met.any() and automaton.crossing is None,
            f"dataset.automaton.states.{names[j]}.curve",
            "another curve than those of the states before and after it, and than all others with crossing: line",
            f"the curve of {names[first[j]]}",
            "give it another curve",
        )
    return first


def tell_apart(
    states: NDArray[np.int64], automaton: Automaton, first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give each lap of states that share a curve to the one that can follow the lap before it.

    A trace begins with the start state. Where the lap before is unknown (an invalid stretch), or none of the states can follow
    it, the lap goes to the first of them, and is uncertain.

    Args:
        states: (n,), any of the states with the lap's curve, of the laps of one trace in order; -1 for an invalid stretch.
        automaton: The truth.
        first: As `find_twins` returned it.

    Returns:
        The states (n,), and whether each is certain (n,).
    """
    told, certain = states.copy(), np.ones(len(states), dtype=bool)
    previous = -1
    for n, state in enumerate(states):
        family = np.flatnonzero(first == first[state]) if state >= 0 else np.array([-1])
        if len(family) > 1:
            fitting = np.array([automaton.start]) if n == 0 else np.flatnonzero(automaton.matrix[previous] > 0.0)
            fitting = np.array([previous]) if previous in family else np.intersect1d(fitting, family)
            certain[n] = len(fitting) == 1 and (n == 0 or previous >= 0)
            told[n] = fitting[0] if certain[n] else family[0]
        previous = int(told[n]) if certain[n] else -1
    return told, certain
