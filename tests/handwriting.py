"""Files of the form of IAM-OnDB's."""

import numpy as np

POINT = '      <Point x="{}" y="{}" time="{:.2f}"/>'


def xml(strokes) -> str:
    """A line of text as the database writes it: each stroke a list of (x, y), y downwards."""
    lines = ['<?xml version="1.0" encoding="ISO-8859-1"?>', "<WhiteboardCaptureSession>", "  <WhiteboardDescription>"]
    lines += ['    <SensorLocation corner="top_left"/>', '    <DiagonallyOppositeCoords x="6512" y="1376"/>']
    lines += ["  </WhiteboardDescription>", "  <StrokeSet>"]
    for stroke in strokes:
        lines.append('    <Stroke colour="black" start_time="769.05" end_time="769.64">')
        lines += [POINT.format(x, y, 769 + i / 50) for i, (x, y) in enumerate(stroke)]
        lines.append("    </Stroke>")
    return "\n".join([*lines, "  </StrokeSet>", "</WhiteboardCaptureSession>"]) + "\n"


def write_lines(directory, count: int):
    """Write `count` files, in folders as in the database, and return the directory."""
    rng = np.random.default_rng(3)
    for i in range(count):
        walk = rng.integers(-20, 30, (40 + i, 2)).cumsum(0) + 500
        path = directory / f"a{i % 2:02d}" / f"a01-{i:03d}u-01.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(xml([walk[:15].tolist(), walk[15:18].tolist(), walk[18:].tolist()]), encoding="latin-1")
    return directory
