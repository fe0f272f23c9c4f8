"""The diagram of the six networks in the README: `python tools/diagram.py docs/six_networks.svg`."""

from __future__ import annotations

import argparse
from pathlib import Path

INK, LINE, FILL, GENERATED = "#1b1f24", "#57606a", "#dbe9f6", "#b35900"
WIDTH, HEIGHT = 850, 420

HEADER = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" \
font-family="Helvetica, Arial, sans-serif" font-size="16">
<title>The six networks of a VRNN at one time step</title>
<defs>
<marker id="line" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L9,4 L0,8 z" \
fill="{LINE}"/></marker>
<marker id="generated" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L9,4 L0,8 z" \
fill="{GENERATED}"/></marker>
</defs>
<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="white"/>"""


def label(x: float, y: float, text: str, colour: str = INK, anchor: str = "middle", size: int = 16) -> str:
    """Write text centred at (x, y). What follows an underscore, up to a space or the end, is set as a subscript."""
    base, _, sub = text.partition("_")
    sub, _, rest = sub.partition(" ")
    subscript = f'<tspan dy="5" font-size="12">{sub}</tspan><tspan dy="-5">{rest}</tspan>' if sub else ""
    place = f'x="{x}" y="{y + 5}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{base}{subscript}</text>"


def network(x: float, y: float, name: str) -> str:
    """Draw one of the six networks, centred at (x, y)."""
    box = f'<rect x="{x - 52}" y="{y - 20}" width="104" height="40" rx="6" fill="{FILL}" stroke="{INK}"/>'
    return box + label(x, y, name)


def variable(x: float, y: float, name: str) -> str:
    """Draw a variable, centred at (x, y)."""
    return f'<circle cx="{x}" cy="{y}" r="24" fill="white" stroke="{INK}"/>' + label(x, y, name)


def arrow(*points: tuple[float, float], generated: bool = False) -> str:
    """Draw a line through points that ends in an arrow. generated: dashed, since it is used in generation only."""
    path = " ".join(f"{x},{y}" for x, y in points)
    style = (
        f'stroke="{GENERATED}" stroke-dasharray="6 4" marker-end="url(#generated)"'
        if generated
        else f'stroke="{LINE}" marker-end="url(#line)"'
    )
    return f'<polyline points="{path}" fill="none" stroke-width="1.6" {style}/>'


def diagram() -> str:
    """Return the picture as SVG."""
    top, middle, bottom = 115, 225, 325
    parts = [
        HEADER,
        # h_{t-1} reaches the prior, the encoder and the decoder from above, the recurrence from below.
        arrow((44, 91), (44, 40), (285, 40), (285, middle - 20)),
        arrow((285, 40), (430, 40), (430, top - 20)),
        arrow((430, 40), (670, 40), (670, top - 20)),
        arrow((44, 139), (44, 390), (670, 390), (670, bottom + 20)),
        # x_t -> phi_x -> encoder and recurrence
        arrow((124, bottom), (148, bottom)),
        arrow((252, bottom), (618, bottom)),
        arrow((285, bottom), (285, middle + 20)),
        # encoder -> z_t -> phi_z -> decoder and recurrence
        arrow((337, middle), (406, middle)),
        arrow((454, middle), (488, middle)),
        arrow((592, middle), (640, middle), (640, top + 20)),
        arrow((640, middle), (640, bottom - 20)),
        arrow((722, bottom), (746, bottom)),
        arrow((722, top), (765, top)),
        # in generation z_t comes from the prior, x_t from the decoder
        arrow((430, top + 20), (430, middle - 24), generated=True),
        arrow((818, top), (832, top), (832, 405), (100, 405), (100, bottom + 24), generated=True),
        network(200, bottom, "φ_x"),
        network(285, middle, "encoder"),
        network(430, top, "prior"),
        network(540, middle, "φ_z"),
        network(670, top, "decoder"),
        network(670, bottom, "recurrence"),
        variable(44, 115, "h_t\u22121"),
        variable(100, bottom, "x_t"),
        variable(430, middle, "z_t"),
        variable(770, bottom, "h_t"),
        label(372, middle - 16, "q(z_t )"),
        label(398, (top + middle) / 2 - 3, "p(z_t )"),
        label(792, top, "p(x_t )"),
        label(44, 18, "solid: x is observed, and z is drawn from the encoder's q", LINE, "start", 13),
        label(
            400, 18, "dashed: in generation, z is drawn from the prior and x from the decoder", GENERATED, "start", 13
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write the diagram."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.parse_args().out.write_text(diagram(), encoding="utf-8")


if __name__ == "__main__":
    main()
