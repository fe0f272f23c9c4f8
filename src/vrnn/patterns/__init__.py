"""Curves, the automaton that chooses among them, the hand that draws them, and the traces it leaves."""

from vrnn.patterns.automaton import Automaton, Piece
from vrnn.patterns.curves import Circle, Curve, Eight, Infinity, Oval, Polygon
from vrnn.patterns.digits import Digits
from vrnn.patterns.drawings import DrawnPattern, Rendering
from vrnn.patterns.hand import AutomatonPattern, Hand
from vrnn.patterns.iam import Handwriting
from vrnn.patterns.reading import read_drawings
from vrnn.patterns.trace import Form, Pattern, Split, Trace
from vrnn.patterns.writing import write_traces

__all__ = [
    "Automaton",
    "AutomatonPattern",
    "Circle",
    "Curve",
    "Digits",
    "DrawnPattern",
    "Eight",
    "Form",
    "Hand",
    "Handwriting",
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
