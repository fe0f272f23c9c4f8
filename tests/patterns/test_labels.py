"""Labels of people's own sequences: the folder, a column, a key; and what is refused before training."""

import json

import numpy as np
import pytest

from vrnn.patterns import DrawnPattern, DrawnStrokes, SeriesPattern

RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((6, 40, 2))
NAMES = ["cat", "dog", "cat", "dog", "dog", "cat"]
EVERYTHING = {"holdout": 0}


def labels(pattern, split="train"):
    """The label of each trace by the trace's length, which tells the sequences below apart."""
    traces = pattern.draw(split, 100, None, np.random.default_rng(0))
    return {len(trace.points): pattern.units.labels[trace.label] for trace in traces}


SEQUENCES = [VALUES[i, : 20 + 3 * i] for i in range(6)]
EXPECTED = {len(sequence): name for sequence, name in zip(SEQUENCES, NAMES, strict=True)}


@pytest.fixture
def folders(tmp_path):
    for i, (sequence, name) in enumerate(zip(SEQUENCES, NAMES, strict=True)):
        (tmp_path / "all" / name).mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "all" / name / f"{i}.npy", sequence)
    return tmp_path / "all"


@pytest.mark.parametrize("pattern", [SeriesPattern, DrawnPattern])
def test_the_folder_is_the_label(folders, pattern):
    assert labels(pattern(folders, label="folder", **EVERYTHING)) == EXPECTED


def test_renderings_and_moves_keep_their_label(folders):
    moves = labels(DrawnStrokes(folders, label="folder", **EVERYTHING))
    assert moves == {length - 1: name for length, name in EXPECTED.items()}
    pattern = DrawnPattern(folders, label="folder", speed=0.2, **EVERYTHING)
    drawn = pattern.draw("train", 12, 30, np.random.default_rng(0))
    assert [pattern.units.labels[trace.label] for trace in drawn] == 2 * ["cat", "cat", "cat", "dog", "dog", "dog"]


@pytest.mark.parametrize(("pattern", "group"), [(SeriesPattern, "trace"), (DrawnPattern, None)])
def test_a_column_is_the_label(tmp_path, pattern, group):
    rows = [f"{i},{NAMES[i]},{x!r},{y!r}" for i in range(6) for x, y in SEQUENCES[i].tolist()]
    (tmp_path / "a.csv").write_text("trace,animal,x,y\n" + "\n".join(rows))
    options = {"group": group} if group else {}
    found = pattern(tmp_path / "a.csv", label="animal", **options, **EVERYTHING)
    assert labels(found) == EXPECTED
    assert found.x_dim == 2


@pytest.mark.parametrize("pattern", [SeriesPattern, DrawnPattern])
@pytest.mark.parametrize("names", [NAMES, [3, 20, 3, 20, 20, 3], [3.0, 20.0, 3.0, 20.0, 20.0, 3.0]])
def test_a_key_of_an_npz_has_the_labels(tmp_path, pattern, names):
    np.savez(tmp_path / "a.npz", y=names, **{f"s{i}": sequence for i, sequence in enumerate(SEQUENCES)})
    found = pattern(tmp_path / "a.npz", label="y", **EVERYTHING)
    assert list(found.units.labels) == (["cat", "dog"] if names is NAMES else ["3", "20"])
    assert labels(found) == {len(s): str(n).removesuffix(".0") for s, n in zip(SEQUENCES, names, strict=True)}


def test_the_word_of_quickdraw_is_the_label(tmp_path):
    lines = [{"word": n, "drawing": [s.T.tolist()]} for n, s in zip(NAMES, SEQUENCES, strict=True)]
    (tmp_path / "a.ndjson").write_text("\n".join(map(json.dumps, lines)))
    assert labels(DrawnPattern(tmp_path / "a.ndjson", label="word", **EVERYTHING)) == EXPECTED
    with pytest.raises(
        ValueError, match=r"a.ndjson, line 1: expected a label under the key 'wrd', but it has word, drawing"
    ):
        DrawnPattern(tmp_path / "a.ndjson", label="wrd", **EVERYTHING)


def test_without_labels_nothing_changes(folders):
    pattern = DrawnPattern(folders)
    assert pattern.units.labels == ()
    assert {trace.label for trace in pattern.draw("train", 9, None, RNG)} == {-1}


def test_labels_that_are_refused(folders, tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.savez(tmp_path / "a.npz", x=VALUES, y=NAMES[:5])
    table = "animal,x,y\n" + "\n".join(f"cat,{x},{y}" for x, y in VALUES[0].tolist())
    (tmp_path / "mixed.csv").write_text(table + "\ndog,1,2")
    (tmp_path / "empty.csv").write_text(table + "\n,1,2")
    (tmp_path / "one").mkdir()
    np.save(tmp_path / "one" / "a.npy", VALUES)
    held_out = {"files": [folders / "cat", *sorted((folders / "dog").iterdir())], "test_files": tmp_path / "one"}
    for files, label, message in [
        (tmp_path / "a.npy", "y", r"a.npy: expected labels under the key 'y' of an npz file, .* dataset.label=folder"),
        (tmp_path / "a.npz", "y", r"a.npz\[y\]: expected one label for each of 6 sequences, got the shape \(5,\)"),
        (tmp_path / "a.npz", "z", r"but it has x, y: save one label per sequence as z"),
        (
            tmp_path / "mixed.csv",
            "animal",
            r"mixed.csv, row 42: expected the label 'cat' in all rows .* got 'dog': name",
        ),
        (tmp_path / "empty.csv", "animal", r"empty.csv, row 42, animal: expected a label, got '': name the class"),
        (tmp_path / "mixed.csv", "kind", r"expected labels in a column 'kind', but it has animal, x, y: name a column"),
        (tmp_path / "one", "folder", r"dataset.label must tell sequences apart, but all have the label 'one'"),
        (held_out, "folder", r"its label 'one' is that of no sequence for training, but it is held out \(val\): add"),
    ]:
        options = files if isinstance(files, dict) else {"files": files, **EVERYTHING}
        with pytest.raises(ValueError, match=message):
            SeriesPattern(**options, label=label)
    (tmp_path / "a.svg").write_text("<svg/>")
    with pytest.raises(ValueError, match=r"expected labels under 'y' in one of .npz, .* got the suffix '.svg': put"):
        DrawnPattern(tmp_path / "a.svg", label="y")
