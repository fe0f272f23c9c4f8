"""Files become points, or one clear error that names the file and the row."""

import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vrnn.patterns.files.read import read_drawings
from vrnn.patterns.resampling import SmoothStroke, normalise

REAL = Path(os.environ.get("VRNN_TRACES", Path(__file__).parents[3] / "shared" / "traces"))
POINTS = np.array([[0.0, 0.0], [1, 0.5], [2, 2], [2.5, 3], [2, 4], [1, 4.5], [0, 3], [-1, 1], [-0.5, 0.1]])


def only(path):
    """Return the one drawing in a file."""
    (points,) = read_drawings(path).values()
    return points


def text(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def csv_of(points, header="x,y\n"):
    return header + "".join(f"{x},{y}\n" for x, y in points)


def svg(tmp_path, body, head='<svg xmlns="http://www.w3.org/2000/svg">', prolog=""):
    return text(tmp_path, "drawing.svg", f"{prolog}{head}{body}</svg>")


# ---- arrays ----------------------------------------------------------------------------------------------------------


def test_npy_and_npz_hold_one_drawing_or_several(tmp_path):
    np.save(tmp_path / "one.npy", POINTS.astype(np.float32))
    np.testing.assert_array_equal(only(tmp_path / "one.npy"), POINTS.astype(np.float32))
    assert only(tmp_path / "one.npy").dtype == np.float64

    np.save(tmp_path / "many.npy", np.stack([POINTS, 2 * POINTS]))
    first, second = read_drawings(tmp_path / "many.npy").values()
    np.testing.assert_array_equal(second, 2 * first)

    np.savez(tmp_path / "named.npz", a=POINTS, b=np.stack([POINTS, POINTS + 1]))
    drawings = read_drawings(tmp_path / "named.npz")
    assert [name.removeprefix(str(tmp_path)) for name in drawings] == [
        "/named.npz[a]",
        "/named.npz[b][0]",
        "/named.npz[b][1]",
    ]
    np.testing.assert_array_equal(list(drawings.values())[2], POINTS + 1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (POINTS.T, r"expected an array of shape \(T, 2\).*got \(2, 9\); transposed\? save array.T, of shape \(9, 2\)"),
        (np.zeros((9, 3)), r"got \(9, 3\) of which both the first and the last column may be the pen"),
        (np.full((9, 3), 0.5), r"moves \(dx, dy, pen\) whose pen is 0 or 1, got \(9, 3\)$"),
        (np.zeros(9), r"got \(9,\)$"),
        (np.zeros((0, 2)), "at least 8 points, got 0"),
        (np.zeros((0, 9, 2)), "holds no drawing"),
        (POINTS[:7], "at least 8 points, got 7"),
        (np.full((9, 2), 0.1), r"all 9 points are equal, \[0.1, 0.1\]"),
        (np.where(np.arange(9)[:, None] == [4, -1], np.nan, POINTS), r"row 4 \(counted from 0\) is \[nan, 4.0\]"),
        (np.where(np.arange(9)[:, None] == [-1, 5], np.inf, POINTS), r"row 5 \(counted from 0\) is \[1.0, inf\]"),
        (POINTS * 1e200, "too large to be a drawing"),
        (POINTS.astype(complex), "expected real numbers, got an array of complex128"),
        (POINTS.astype(str), "expected real numbers, got an array of <U"),
        (POINTS.astype(object), "pickled"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, array, message):
    path = tmp_path / "bad.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + message):
        read_drawings(path)


def test_a_bad_drawing_among_good_ones_is_named(tmp_path):
    bad = POINTS.copy()
    bad[3, 1] = np.nan
    np.savez(tmp_path / "some.npz", good=POINTS, stack=np.stack([POINTS, bad]))
    with pytest.raises(ValueError, match=r"some.npz\[stack\]\[1\]: .* row 3 "):
        read_drawings(tmp_path / "some.npz")


@pytest.mark.parametrize("name", ["torn.npy", "torn.npz"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04torn", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"])
def test_torn_array_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: not a readable array file"):
        read_drawings(tmp_path / name)


# ---- the file itself -------------------------------------------------------------------------------------------------


def test_missing_unknown_and_unreadable_files(tmp_path):
    with pytest.raises(ValueError, match=r"gone.npy: no such file"):
        read_drawings(tmp_path / "gone.npy")
    with pytest.raises(
        ValueError, match=r"drawing.png: expected a drawing in one of .npy, .npz, .csv, .* got .*'.png'"
    ):
        read_drawings(tmp_path / "drawing.png")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"folder.csv: no such file"):
        read_drawings(tmp_path / "folder.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = text(tmp_path, "closed.csv", csv_of(POINTS))
    path.chmod(0)
    with pytest.raises(ValueError, match=r"closed.csv: cannot be read: Permission denied"):
        read_drawings(path)


# ---- csv -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["x,y\n", "", " X , Y \n", "\ufeffx,y\n", "\n\nx,y\n\n"])
def test_csv_of_two_columns(tmp_path, header):
    np.testing.assert_array_equal(only(text(tmp_path, "a.csv", csv_of(POINTS, header))), POINTS)


def test_csv_finds_its_columns_by_name_and_its_traces(tmp_path):
    rows = [f"{y},pen,{x},{trace}\n" for trace in (7, 3) for x, y in POINTS * trace]
    drawings = read_drawings(text(tmp_path, "a.csv", "y,tool,x,trace\n" + "".join(rows)))
    assert [name.rpartition("[")[2] for name in drawings] == ["trace 7]", "trace 3]"]
    np.testing.assert_array_equal(list(drawings.values())[1], POINTS * 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("x,y\n", "holds no drawing"),
        ("a,b\n1,2\n", r"row 1: expected two numbers, or a header .* got \['a', 'b'\]"),
        (csv_of(POINTS) + "1,oops\n", "row 11: expected a number, got 'oops'"),
        ("\n" + csv_of(POINTS) + "nan,2\n", "row 12: x and y must be finite numbers, got nan, 2.0; leave both"),
        (csv_of(POINTS) + "1,-inf\n", "row 11: x and y must be finite numbers"),
        (csv_of(POINTS) + "1\n", "row 11: expected 2 columns, got 1"),
        ("1,2,3\n", "row 1: expected 2 columns, got 3: name x and y in a header"),
        (csv_of(POINTS[:5]), "at least 8 points, got 5"),
    ],
)
def test_bad_csv_is_refused_with_its_row(tmp_path, content, message):
    path = text(tmp_path, "bad.csv", content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + message):
        read_drawings(path)


def test_csv_that_is_no_text(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"x,y\n\xff\xfe,2\n")
    with pytest.raises(ValueError, match=r"bad.csv: not readable as comma-separated UTF-8 text"):
        read_drawings(tmp_path / "bad.csv")


# ---- svg -------------------------------------------------------------------------------------------------------------

PAGE = '<path style="stroke:none;fill:rgb(100%,100%,100%)" d="M 0 0 L 9 0 L 9 9 L 0 9 Z"/>'


def path_of(points):
    return "M " + " L ".join(f"{x} {y}" for x, y in points)


def test_a_pens_points_come_back_as_they_are_with_y_upwards(tmp_path):
    body = f'{PAGE}<g id="surface1"><path style="fill:none;stroke:rgb(0%,0%,0%);" d="{path_of(POINTS)}"/></g>'
    np.testing.assert_array_equal(only(svg(tmp_path, body)), POINTS * [1, -1])


def test_a_pen_at_rest_keeps_its_repeated_points(tmp_path):
    resting = np.repeat(POINTS, 2, axis=0)
    np.testing.assert_array_equal(
        only(svg(tmp_path, f'<path stroke="red" d="{path_of(resting)}"/>')), resting * [1, -1]
    )


def test_pressure_strokes_do_not_repeat_their_joints(tmp_path):
    body = "".join(
        f'<path stroke="black" stroke-width="{i}" d="{path_of(pair)}"/>' for i, pair in enumerate(pairwise(POINTS), 1)
    )
    np.testing.assert_array_equal(only(svg(tmp_path, body)), POINTS * [1, -1])


def test_strokes_are_joined_in_document_order(tmp_path):
    body = (
        '<g stroke="black" fill="none"><polyline points="0,0 1,0 1,1"/><g><path d="M 2 2 L 3 3"/></g></g>'
        '<line x1="4" y1="4" x2="5" y2="5" stroke="black"/><polygon points="6,6 7,6 7,7" stroke="black"/>'
        '<a><path d="m 8 8 l 1 1" stroke="black"/></a>'
    )
    expected = [(0, 0), (1, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 6), (7, 7), (6, 6), (8, 8), (9, 9)]
    np.testing.assert_array_equal(only(svg(tmp_path, body)), np.array(expected) * [1, -1])


def test_transforms_nest_from_the_outside_in(tmp_path):
    body = (
        '<g transform="translate(10, 20)"><g transform="scale(2 3)">'
        f'<path stroke="black" transform="rotate(90)" d="{path_of(POINTS)}"/></g></g>'
    )
    turned = POINTS[:, ::-1] * [-1, 1]
    np.testing.assert_allclose(only(svg(tmp_path, body)), (turned * [2, 3] + [10, 20]) * [1, -1], atol=1e-12)


def test_groups_may_nest_deeply(tmp_path):
    body = "<g>" * 3000 + f'<path stroke="black" d="{path_of(POINTS)}"/>' + "</g>" * 3000
    np.testing.assert_array_equal(only(svg(tmp_path, body)), POINTS * [1, -1])


@pytest.mark.parametrize(
    "background",
    [
        PAGE,
        '<path fill="white" d="M 0 0 L 9 9"/>',
        '<rect stroke="none" width="9" height="9"/>',
        '<g style="stroke:none"><rect width="9" height="9"/></g>',
        '<g style="display: none"><path stroke="black" d="M 0 0 L 9 9"/></g>',
        '<defs><path stroke="black" d="M 0 0 L 9 9"/></defs>',
        '<clipPath><rect stroke="black" width="9" height="9"/></clipPath>',
        "<text>M 0 0</text><!-- a comment -->",
    ],
)
def test_only_what_is_drawn_with_a_line_is_a_stroke(tmp_path, background):
    bare = f'<path d="{path_of(POINTS)}"/>'
    np.testing.assert_array_equal(only(svg(tmp_path, background + bare)), POINTS * [1, -1])
    with pytest.raises(ValueError, match=r"drawing.svg: no strokes found"):
        read_drawings(svg(tmp_path, background))


def test_a_style_overrules_the_group_around_it(tmp_path):
    body = f'<g stroke="none" fill="white"><path style="stroke : black" d="{path_of(POINTS)}"/></g>'
    assert len(only(svg(tmp_path, body))) == len(POINTS)


def test_curves_are_cut_into_equal_pieces_of_one_percent(tmp_path):
    points = only(svg(tmp_path, '<circle cx="3" cy="4" r="50" stroke="black" fill="none"/>'))
    pieces = np.hypot(*np.diff(points, axis=0).T)
    assert pieces.max() <= 1.0  # 1 % of the diameter
    assert pieces.max() - pieces.min() < 1e-3
    np.testing.assert_allclose(np.hypot(*(points - [3, -4]).T), 50.0, atol=0.025)  # 0.025 % of the diameter
    np.testing.assert_allclose(points[0], points[-1], atol=1e-9)


def test_a_bezier_lies_where_its_formula_says(tmp_path):
    points = only(svg(tmp_path, '<path stroke="black" d="M 0 0 C 0 100, 100 100, 100 0"/>'))
    t = np.linspace(0, 1, 20001)[:, None]
    curve = 3 * (1 - t) ** 2 * t * [0, 100] + 3 * (1 - t) * t**2 * [100, 100] + t**3 * [100, 0]
    distance = np.hypot(*(points[:, None] - curve[None, ::2] * [1, -1]).transpose(2, 0, 1)).min(axis=1)
    assert distance.max() < 0.02
    pieces = np.hypot(*np.diff(points, axis=0).T)
    assert 0.9 < pieces.min() <= pieces.max() <= 1.0


BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("prolog", [BOMB, OUTSIDE])
def test_entities_are_refused(tmp_path, prolog):
    path = svg(tmp_path, f'<text>&c;</text><path d="{path_of(POINTS)}"/>', prolog=prolog)
    with pytest.raises(ValueError, match=r"drawing.svg: refused, because it defines or references XML entities"):
        read_drawings(path)


def test_a_harmless_doctype_is_no_bomb(tmp_path):
    path = svg(tmp_path, f'<path stroke="black" d="{path_of(POINTS)}"/>', prolog="<!DOCTYPE svg>")
    assert len(only(path)) == len(POINTS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<g>", "not a well-formed SVG file: .*line 1"),
        ('<path id="p7" stroke="black" d="M 0 0 L 1"/>', r"<path id='p7'> has unreadable data"),
        ('<path stroke="black" d="M 0 0 L 1e999 0"/>', "coordinates that are not finite"),
        (
            '<circle stroke="black" r="5em"/>',
            r"<circle id=None> has unreadable data: r must be a number or a length in",
        ),
        (
            '<g id="tilted" transform="rotate(x)"><path/></g>',
            r"<g id='tilted'> has unreadable data: Invalid SVG transform",
        ),
        ('<path stroke="black" d="M 0 0 L 1 1"/>', "at least 8 points, got 2"),
        ('<path stroke="black" d=""/>', "no strokes found"),
        (f'<path stroke="black" d="{path_of(np.ones((9, 2)))}"/>', "all 9 points are equal"),
    ],
)
def test_bad_svg_is_refused_by_name(tmp_path, body, message):
    with pytest.raises(ValueError, match=f"drawing.svg.*{message}"):
        read_drawings(svg(tmp_path, body))


def test_other_xml_and_no_xml(tmp_path):
    with pytest.raises(ValueError, match=r"html.svg: expected an SVG file, got an XML file whose root is <html>"):
        read_drawings(text(tmp_path, "html.svg", "<html></html>"))
    with pytest.raises(ValueError, match=r"empty.svg: not a well-formed SVG file"):
        read_drawings(text(tmp_path, "empty.svg", ""))
    with pytest.raises(ValueError, match=r"code.svg: not a well-formed SVG file"):
        read_drawings(text(tmp_path, "code.svg", '<?xml version="1.0" encoding="no-such-code"?><svg/>'))


# ---- real drawings, where they are at hand ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["eight10_1", "triangle10_1", "switch_circle2_circle2"])
def test_a_real_svg_is_the_drawing_that_was_made_from_it(name):
    """Every point of the .npy lies on the curve read from the .svg, and both have the same spread."""
    if not (REAL / f"{name}.svg").is_file():
        pytest.skip(f"no drawings at {REAL} (set VRNN_TRACES)")
    read, made = normalise(only(REAL / f"{name}.svg")), only(REAL / f"{name}.npy")
    np.testing.assert_allclose(read.std(axis=0), made.std(axis=0), atol=5e-4)
    stroke = SmoothStroke(read)
    curve = stroke.at(np.linspace(0, stroke.length, 20 * len(read)))
    distance = [np.hypot(*(curve - point).T).min() for point in made[::7]]
    assert max(distance) < 2e-3
