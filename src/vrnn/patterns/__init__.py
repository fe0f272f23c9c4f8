"""Curves, the automaton that chooses among them, the hand that draws them, and the traces it leaves."""

from vrnn.patterns.automaton import Automaton, Piece
from vrnn.patterns.curves import Circle, Curve, Eight, Infinity, Oval, Polygon
from vrnn.patterns.hand import AutomatonPattern, Hand
from vrnn.patterns.trace import Pattern, Split, Trace

__all__ = [
    "Automaton",
    "AutomatonPattern",
    "Circle",
    "Curve",
    "Eight",
    "Hand",
    "Infinity",
    "Oval",
    "Pattern",
    "Piece",
    "Polygon",
    "Split",
    "Trace",
]
