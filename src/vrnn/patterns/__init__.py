"""Where sequences come from: automata drawn by a pen, drawings, series and music from files, handwriting, images of digits."""

from vrnn.patterns.automaton import Automaton, Piece
from vrnn.patterns.classes import ClassesPattern
from vrnn.patterns.curves import Circle, Curve, Eight, Infinity, Oval, Polygon
from vrnn.patterns.digits import Digits
from vrnn.patterns.drawings import DrawnPattern, Rendering
from vrnn.patterns.drawn_laps import DrawnLaps
from vrnn.patterns.drawn_strokes import DrawnStrokes
from vrnn.patterns.files.read import read_drawings
from vrnn.patterns.files.write import write_traces
from vrnn.patterns.handwriting import Handwriting
from vrnn.patterns.pen import AutomatonPattern, Pen
from vrnn.patterns.piano_rolls import PianoRolls
from vrnn.patterns.series import SeriesPattern
from vrnn.patterns.trace import Pattern, SequenceKind, Split, Trace
from vrnn.patterns.units import Units

__all__ = [
    "Automaton",
    "AutomatonPattern",
    "Circle",
    "ClassesPattern",
    "Curve",
    "Digits",
    "DrawnLaps",
    "DrawnPattern",
    "DrawnStrokes",
    "Eight",
    "Handwriting",
    "Infinity",
    "Oval",
    "Pattern",
    "Pen",
    "PianoRolls",
    "Piece",
    "Polygon",
    "Rendering",
    "SequenceKind",
    "SeriesPattern",
    "Split",
    "Trace",
    "Units",
    "read_drawings",
    "write_traces",
]
