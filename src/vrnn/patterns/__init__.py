"""Curves, the automaton that chooses among them, the hand that draws them, and the traces it leaves."""

from vrnn.patterns.automaton import Automaton, Piece
from vrnn.patterns.curves import Circle, Curve, Eight, Infinity, Oval, Polygon
from vrnn.patterns.digits import Digits
from vrnn.patterns.drawings import DrawnPattern, Rendering
from vrnn.patterns.files.read import read_drawings
from vrnn.patterns.files.write import write_traces
from vrnn.patterns.handwriting import Handwriting
from vrnn.patterns.pen import AutomatonPattern, Pen
from vrnn.patterns.trace import Pattern, SequenceKind, Split, Trace

__all__ = [
    "Automaton",
    "AutomatonPattern",
    "Circle",
    "Curve",
    "Digits",
    "DrawnPattern",
    "Eight",
    "Handwriting",
    "Infinity",
    "Oval",
    "Pattern",
    "Pen",
    "Piece",
    "Polygon",
    "Rendering",
    "SequenceKind",
    "Split",
    "Trace",
    "read_drawings",
    "write_traces",
]
