"""Digits: rows, labels, the split, and the error without scikit-learn."""

import sys

import numpy as np
import pytest

from vrnn.patterns import Digits

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return Digits()


def drawn(digits, split, n=2000, steps=8, seed=0):
    return digits.draw(split, n, steps, np.random.default_rng(seed))


def test_rows_and_labels_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    found = load_digits()
    expected = sorted(
        (image >= 8).tobytes() + bytes([label]) for image, label in zip(found.images, found.target, strict=True)
    )
    traces = [trace for split in SPLITS for trace in drawn(digits, split)]
    ours = sorted(trace.points.astype(bool).tobytes() + bytes([trace.state[0]]) for trace in traces)
    assert ours == expected
    assert all((trace.state == trace.state[0]).all() for trace in traces)
    assert digits.names[traces[0].state[0]] == str(traces[0].state[0])


def test_the_split_is_fixed_and_has_all_digits(digits):
    assert [len(drawn(digits, split)) for split in SPLITS] == [1258, 180, 359]
    for split in SPLITS:
        one, other = ([trace.points.tobytes() for trace in drawn(digits, split, seed=seed)] for seed in (0, 1))
        assert one != other
        assert sorted(one) == sorted(other)
        assert len({int(trace.state[0]) for trace in drawn(digits, split)}) == 10


def test_at_most_n_images_of_at_most_8_rows(digits):
    traces = drawn(digits, "val", n=7, steps=5)
    assert [trace.points.shape for trace in traces] == [(5, 8)] * 7
    assert drawn(digits, "val", n=1, steps=100)[0].points.shape == (8, 8)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ValueError, match=r"not installed: pip install scikit-learn, or vrnn-lab\[digits\]"):
        Digits()
