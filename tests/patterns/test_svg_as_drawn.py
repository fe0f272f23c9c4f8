"""An SVG's strokes are those that a browser draws: styles, visibility, nesting and units."""

import numpy as np
import pytest

from vrnn.patterns.files.read import load_drawings

A = np.array([[0, 0], [10, 0], [10, 10], [20, 10], [20, 20], [30, 20], [30, 30], [40, 30]], dtype=float)
D = "M" + " L".join(f"{x:g} {y:g}" for x, y in A)
SHIFT = np.array([5.0, -3.0])
PEN = f'<path d="{D}" stroke="black" fill="none"/>'


def read(tmp_path, body, head=""):
    (tmp_path / "a.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{body}</svg>')
    (drawing,) = load_drawings(tmp_path / "a.svg").values()
    return [stroke * [1.0, -1.0] for stroke in drawing.strokes]


@pytest.mark.parametrize(
    "hidden",
    [
        '<path d="{}" stroke="black" visibility="hidden"/>',
        '<path d="{}" stroke="black" display="none"/>',
        '<path d="{}" stroke="black" opacity="0"/>',
        '<path d="{}" stroke="black" stroke-opacity="0.0"/>',
        '<path d="{}" stroke="black" stroke-width="0px"/>',
        '<path d="{}" stroke="rgba(0, 0, 0, 0)"/>',
        '<g opacity="0"><path d="{}" stroke="black"/></g>',
        '<g visibility="hidden"><path d="{}" stroke="black"/></g>',
        '<g display="none"><path d="{}" stroke="black"/></g>',
        '<path d="{}" stroke="black" style="stroke: none"/>',
        '<style>.off {{ stroke: none }}</style><path d="{}" stroke="black" class="off"/>',
        '<style>#x {{ display: none }}</style><path id="x" d="{}" stroke="black"/>',
        '<style>g .off {{ stroke: none }}</style><g><path d="{}" stroke="black" class="off"/></g>',
        '<style>.off {{ stroke: none !important }}</style><path d="{}" class="off" style="stroke: black"/>',
        '<defs><path d="{}" stroke="black"/></defs>',
        '<clipPath><path d="{}" stroke="black"/></clipPath>',
    ],
)
def test_what_a_browser_hides_is_no_stroke(tmp_path, hidden):
    (stroke,) = read(tmp_path, PEN + hidden.format("M0 0L5 5"))
    np.testing.assert_array_equal(stroke, A)


@pytest.mark.parametrize(
    "shown",
    [
        '<g visibility="hidden"><path d="{}" stroke="black" visibility="visible"/></g>',
        '<g stroke="black"><path d="{}"/></g>',
        '<style>path {{ stroke: red }}</style><path d="{}" stroke="none"/>',
        '<style>.pen {{ stroke: red }} path {{ stroke: none }}</style><path d="{}" class="pen"/>',
        '<style>/* .pen */ g &gt; .pen {{ stroke: red }}</style><g><path d="{}" class="pen"/></g>',
        '<style>#x {{ stroke: red }} .pen {{ stroke: none }}</style><path id="x" d="{}" class="pen"/>',
        '<path d="{}" stroke="none" style="stroke: black"/>',
    ],
)
def test_the_stronger_declaration_counts(tmp_path, shown):
    (stroke,) = read(tmp_path, shown.format(D))
    np.testing.assert_array_equal(stroke, A)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<g transform="translate(5 -3)">{}</g>', A + SHIFT),
        ('<g transform="scale(2) translate(1 1)">{}</g>', 2 * (A + 1)),
        ('<g transform="rotate(90)">{}</g>', A[:, ::-1] * [-1, 1]),
        ('<g transform="matrix(1 0 0 -1 0 8)">{}</g>', A * [1, -1] + [0, 8]),
        ('<g style="transform: translate(5px, -3px)">{}</g>', A + SHIFT),
        ('<g style="transform: rotate(0.25turn)">{}</g>', A[:, ::-1] * [-1, 1]),
        ('<svg x="5" y="-3">{}</svg>', A + SHIFT),
        ('<svg x="5" y="-3" width="20" height="20" viewBox="0 0 40 40">{}</svg>', A / 2 + [5, -3]),
        ('<defs><g id="a">{}</g></defs><use href="#a" x="5" y="-3"/>', A + SHIFT),
        ('<defs><g id="a">{}</g></defs><use href="#a" transform="scale(2)" x="1" y="1"/>', 2 * (A + 1)),
    ],
)
def test_points_are_where_a_browser_draws_them(tmp_path, body, expected):
    (stroke,) = read(tmp_path, body.format(PEN), 'width="40" height="40"')
    np.testing.assert_allclose(stroke, expected, atol=1e-9)


def test_use_draws_once_more(tmp_path):
    first, second = read(tmp_path, PEN.replace("<path", '<path id="a"') + '<use href="#a" x="5" y="-3"/>')
    np.testing.assert_array_equal(second, first + SHIFT)


def test_lengths_in_pixels(tmp_path):
    line = '<line x1="0px" y1="1" x2="7px" y2="1px" stroke="black"/>'
    _, stroke = read(tmp_path, PEN + line)
    np.testing.assert_array_equal(stroke, [[0, 1], [7, 1]])


def test_an_arc_without_radius_is_a_line(tmp_path):
    _, stroke = read(tmp_path, f'{PEN}<path stroke="black" d="M0 0 A0 5 0 0 1 10 0 A5 5 0 0 1 10 0 L20 0"/>')
    np.testing.assert_array_equal(stroke, [[0, 0], [10, 0], [20, 0]])


def test_what_is_not_honoured_is_named(tmp_path, caplog):
    read(tmp_path, f"<style>path:hover {{ stroke: red }}</style>{PEN}<text>words</text>")
    assert "read without" in caplog.text
    assert "path:hover" in caplog.text
    assert "text" in caplog.text
