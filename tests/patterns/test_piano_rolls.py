"""Piano rolls: files, parts, the constant baseline, MIDI, and what is refused."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.rolls import LENGTHS, random_rolls, write_mat
from vrnn.patterns import PianoRolls, write_traces
from vrnn.patterns.piano_rolls import NOTES

PARTS = {"train": "traindata", "val": "validdata", "test": "testdata"}
PUBLISHED = Path(os.environ.get("VRNN_PIANO_ROLLS", ROOT.parent / "shared" / "music"))


def drawn(pattern, split, n=100, steps=100):
    return [trace.points for trace in pattern.draw(split, n, steps, np.random.default_rng(0))]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_parts_and_lengths_are_those_of_the_mat_file(tmp_path):
    pattern = PianoRolls(write_mat(tmp_path / "tiny.mat"))
    for split, part in PARTS.items():
        assert_same(drawn(pattern, split), random_rolls()[part])
        assert [len(points) for points in drawn(pattern, split)] == list(LENGTHS[part])
    assert max(len(points) for points in drawn(pattern, "test", steps=4)) == 4


def test_json_holds_the_same_as_mat(tmp_path):
    names = {"traindata": "train", "validdata": "valid", "testdata": "test"}
    notes = {
        names[part]: [[(np.flatnonzero(step) + 21).tolist() or [-1] for step in roll] for roll in rolls]
        for part, rolls in random_rolls().items()
    }
    (tmp_path / "tiny.json").write_text(json.dumps(notes))
    one, other = PianoRolls(tmp_path / "tiny.json"), PianoRolls(write_mat(tmp_path / "tiny.mat"))
    for split in PARTS:
        assert_same(drawn(one, split), drawn(other, split))


def test_notes_are_named_from_a0_to_c8():
    assert (NOTES[0], NOTES[39], NOTES[87], len(NOTES)) == ("A0", "C4", "C8", 88)


def test_the_constant_baseline_in_closed_form(tmp_path):
    """Key 0 is down at 1 of 2 training steps and at 1 of 4 of the test, the others never: (1 + 1) / (2 + 2), 1 / (2 + 2)."""
    roll = np.zeros((2, 88), dtype=np.uint8)
    roll[0, 0] = 1
    parts = {"traindata": [roll], "validdata": [roll], "testdata": [roll, np.zeros((2, 88), dtype=np.uint8)]}
    pattern = PianoRolls(write_mat(tmp_path / "one.mat", parts))
    assert pattern.constant_nats_per_step() == pytest.approx(math.log(1 / 2) + 87 * math.log(3 / 4))


@pytest.mark.parametrize(
    ("name", "nats", "sequences"),
    [
        ("JSB_Chorales", -11.06, (229, 76, 77)),
        ("Nottingham", -10.25, (694, 173, 170)),
        ("Piano_midi", -11.05, (87, 12, 25)),
        ("MuseData", -11.51, (524, 135, 124)),
    ],
)
def test_the_constant_baseline_of_the_published_sets(name, nats, sequences):
    path = PUBLISHED / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"needs {path}; VRNN_PIANO_ROLLS names another directory")
    pattern = PianoRolls(path)
    assert pattern.constant_nats_per_step() == pytest.approx(nats, abs=0.005)
    assert tuple(len(pattern.sources[split]) for split in PARTS) == sequences


def refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        PianoRolls(path)
    return str(caught.value).replace(str(path), "FILE")


GOOD = {"train": [[[60]]], "valid": [[[60]]], "test": [[[60]]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": [[[20]]]}, "FILE: train[0]: step 0 (counted from 0) must hold MIDI notes from 21 to 108"),
        ({"test": [[[60], [109]]]}, "FILE: test[0]: step 1"),
        ({"test": [[[60.5]]]}, "but has 60.5"),
        ({"test": [[[True]]]}, "but has True"),
        ({"test": [[["C4"]]]}, "but has 'C4'"),
        ({"valid": [[60]]}, "FILE: valid[0] must be a list of steps, each a list of notes"),
        ({"valid": [[]]}, "FILE: valid[0] must be a list of steps"),
        ({"valid": []}, "FILE: valid must have at least one sequence, but has none"),
        ({"valid": 3}, "FILE: valid must be a list of sequences, but is a int"),
    ],
)
def test_json_that_is_no_music_is_refused(tmp_path, change, message):
    assert message in refused(tmp_path, "bad.json", GOOD | change)


def test_files_of_another_kind_are_refused(tmp_path):
    assert "it has no validdata" not in refused(tmp_path, "list.json", [1])
    assert "FILE: not readable as JSON" in refused(tmp_path, "text.json", b"{")
    assert "FILE: not readable as JSON" in refused(tmp_path, "deep.json", b"[" * 100_000)
    assert "FILE: expected the three parts" in refused(tmp_path, "parts.json", {"train": [[[60]]], "test": [[[60]]]})
    assert "FILE: not readable as a MATLAB file" in refused(tmp_path, "text.mat", b"no matlab" * 100)
    assert "FILE: not readable as a MATLAB file" in refused(tmp_path, "empty.mat", b"")
    assert "expected piano rolls in one of .mat, .json, got the suffix '.pkl'" in refused(tmp_path, "jsb.pkl", b"")
    with pytest.raises(ValueError, match="no such file"):
        PianoRolls(tmp_path / "missing.mat")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_mat_file_cut_short_is_refused(tmp_path, share):
    whole = write_mat(tmp_path / "whole.mat").read_bytes()
    refused(tmp_path, "cut.mat", whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("roll", "message"),
    [
        (np.zeros((3, 12)), r"an array \(T, 88\) of 0 and 1, but is \(3, 12\)"),
        (np.full((3, 88), 2.0), "of 0 and 1, but reaches from 2 to 2"),
        (np.full((3, 88), np.nan), "of 0 and 1, but reaches from nan"),
        (np.zeros((0, 88)), r"an array \(T, 88\) of 0 and 1, but is \(0, "),
        (np.array("text"), "an array"),
    ],
)
def test_mat_arrays_that_are_no_rolls_are_refused(tmp_path, roll, message):
    with pytest.raises(ValueError, match=message):
        PianoRolls(write_mat(tmp_path / "bad.mat", random_rolls() | {"testdata": [roll]}))


def test_midi_has_the_notes_held_and_one_after_the_other(tmp_path):
    mido = pytest.importorskip("mido")
    rolls = np.zeros((2, 3, 88))
    rolls[0, 0:2, 39] = rolls[0, 1, 43] = 1.0  # C4 for two steps, E4 for one
    rolls[1, 2, 0] = 0.6  # a probability above 1/2
    write_traces(tmp_path / "two.mid", rolls, "mid", "piano_roll")
    (track,) = mido.MidiFile(tmp_path / "two.mid").tracks
    time, found = 0, []
    for message in track:
        time += message.time
        if message.type.startswith("note"):
            found.append((time / 480, message.type, message.note))
    at = 3 + 4 + 2  # a roll, a rest, two steps
    assert found[:2] == [(0, "note_on", 60), (1, "note_on", 64)]
    assert sorted(found[2:4]) == [(2, "note_off", 60), (2, "note_off", 64)]
    assert found[4:] == [(at, "note_on", 21), (at + 1, "note_off", 21)]


def test_other_sequences_are_not_written_as_midi(tmp_path):
    with pytest.raises(ValueError, match="a mid file holds piano rolls, and sequences of the form series are none"):
        write_traces(tmp_path / "series.mid", np.zeros((1, 3, 88)), "mid", "series")
