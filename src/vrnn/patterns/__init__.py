"""Curves, the automaton that chooses among them, the hand that draws them, and the traces it leaves."""

from vrnn.patterns.automaton import Automaton, Piece
from vrnn.patterns.curves import Circle, Curve, Eight, Infinity, Oval, Polygon
from vrnn.patterns.drawings import DrawnPattern, Rendering
from vrnn.patterns.hand import AutomatonPattern, Hand
from vrnn.patterns.reading import read_drawings
from vrnn.patterns.trace import Pattern, Split, Trace
from vrnn.patterns.writing import write_traces

__all__ = [
    "Automaton",
    "AutomatonPattern",
    "Circle",
    "Curve",
    "DrawnPattern",
    "Eight",
    "Hand",
    "Infinity",
    "Oval",
    "Pattern",
    "Piece",
    "Polygon",
    "Rendering",
    "Split",
    "Trace",
    "read_drawings",
    "write_traces",
]
