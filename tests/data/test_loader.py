"""The loader: every window once per epoch, in an order fixed by the seed, resumable; the data module: splits, lengths, gaps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vrnn.data import TraceDataModule, TraceLoader, TraceSet
from vrnn.patterns import Trace


def traces(lengths) -> TraceSet:
    """Trace i's point t is (i, t), so that a batch shows which points it holds."""
    unknown = [np.full(n, -1) for n in lengths]
    points = [np.stack([np.full(n, i), np.arange(n)], -1).astype(float) for i, n in enumerate(lengths)]
    return TraceSet([Trace(p, u, u) for p, u in zip(points, unknown, strict=True)])


def loader(batches: int, seed: int = 0, lengths=(10,) * 5, batch_size: int = 2, window: int | None = 4) -> TraceLoader:
    return TraceLoader(traces(lengths), batch_size, window, seed, batches)


def test_an_epoch_has_every_point_once_and_windows_in_order():
    one = loader(batches=9)  # 3 groups of traces x 3 windows
    seen = []
    following: dict[int, int] = {}
    for batch in one:
        assert torch.equal(batch.start, batch.x[0, :, 1] == 0)
        for b in range(batch.x.shape[1]):
            points = batch.x[batch.mask[:, b], b]
            trace, first = int(points[0, 0]), int(points[0, 1])
            assert first == following.get(trace, 0)
            following[trace] = first + len(points)
            seen += [tuple(map(int, point)) for point in points]
    assert sorted(seen) == [(i, t) for i in range(5) for t in range(10)]


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed):
        return [batch.x[0, :, 0].tolist() for batch in loader(batches=18, seed=seed)]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0)[:9] != order(0)[9:]


@pytest.mark.parametrize("position", [1, 5, 9, 13])
def test_the_loader_resumes_from_its_position(position):
    whole, part, rest = list(loader(batches=20)), loader(batches=20), loader(batches=20)
    iterator = iter(part)
    for _ in range(position):
        next(iterator)
    rest.load_state_dict(part.state_dict())
    for ours, theirs in zip(list(rest), whole[position:], strict=True):
        assert torch.equal(ours.x, theirs.x)
        assert torch.equal(ours.start, theirs.start)


def test_traces_of_unequal_length_are_masked():
    batch = next(iter(loader(batches=1, lengths=(3, 6), window=None)))
    assert batch.mask.sum(0).tolist() == [3, 6] or batch.mask.sum(0).tolist() == [6, 3]
    assert torch.equal(torch.isnan(batch.x).any(-1), ~batch.mask)


def test_a_group_ends_with_its_own_longest_trace():
    """Traces of 3 and 10 points, one at a time: 1 and 3 windows, none of them empty."""
    batches = list(loader(batches=8, lengths=(3, 10), batch_size=1))
    assert all(batch.mask.any() for batch in batches)
    assert [sum(int(batch.mask.sum()) for batch in batches[first : first + 4]) for first in (0, 4)] == [13, 13]


def test_a_finished_stream_starts_again():
    one = loader(batches=2)
    assert [len(list(one)) for _ in range(2)] == [2, 2]


def test_no_traces_is_an_error():
    with pytest.raises(ValueError, match="at least one trace"):
        TraceSet([])


class Walk:
    """A pattern of random walks."""

    def draw(self, split, n, steps, rng):
        unknown = np.full(steps, -1)
        return [Trace(rng.standard_normal((steps, 2)).cumsum(0), unknown, unknown) for _ in range(n)]


def test_splits_have_different_seeds():
    def module(seed):
        return TraceDataModule(
            Walk(), batches=3, seed=seed, traces=4, steps=20, val_traces=4, test_traces=4, eval_steps=20
        )

    one, same, other = module(0), module(0), module(1)
    first = {split: one.traces(split)[0].points for split in ("train", "val", "test")}
    assert not np.array_equal(first["train"], first["val"])
    assert not np.array_equal(first["val"], first["test"])
    assert np.array_equal(first["test"], same.traces("test")[0].points)
    assert not np.array_equal(first["train"], other.traces("train")[0].points)
    (whole,) = one.val_dataloader()
    assert whole.x.shape == (20, 4, 2)
    assert len(one.train_dataloader()) == 3


def test_hidden_points_are_neither_in_x_nor_in_the_mask():
    trace = Trace.of_unknown_origin(np.ones((6, 2)))
    seen = np.array([False, True, True, False, True, False])
    both = TraceSet([replace(trace, observed=seen), trace.until(3)])
    assert both.mask.T.tolist() == [seen.tolist(), [True, True, True, False, False, False]]
    assert torch.equal(torch.isnan(both.x).any(-1), ~both.mask)
    assert both.lengths.tolist() == [6, 3]


def test_windows_cover_a_gap_at_the_end_of_a_trace():
    trace = Trace.of_unknown_origin(np.ones((12, 2)))
    one = TraceLoader(TraceSet([replace(trace, observed=np.arange(12) < 2)]), 1, 4, 0, batches=3)
    assert [batch.mask.sum().item() for batch in one] == [2, 0, 0]
    assert [batch.start.item() for batch in one] == [True, False, False]


def test_a_trace_without_an_observed_point_is_an_error():
    trace = Trace.of_unknown_origin(np.ones((6, 2)))
    with pytest.raises(ValueError, match=r"1 of 2 traces have none.*number 1, counted from 0.*data\.gaps\.share"):
        TraceSet([trace, replace(trace, observed=np.zeros(6, dtype=bool))])


def data(**options) -> TraceDataModule:
    counts = {"traces": 300, "steps": 20, "val_traces": 3, "test_traces": 3, "eval_steps": 20}
    return TraceDataModule(Walk(), batches=3, seed=0, **{**counts, **options})


def test_training_traces_have_random_lengths():
    """300 draws of 11 lengths miss one of them once in 4e11 seeds."""
    whole, cut, again = data(), data(min_steps=10), data(min_steps=10)
    lengths = [len(trace.points) for trace in cut.traces("train")]
    assert set(lengths) == set(range(10, 21))
    assert lengths == [len(trace.points) for trace in again.traces("train")]
    for trace, uncut in zip(cut.traces("train"), whole.traces("train"), strict=True):
        assert np.array_equal(trace.points, uncut.points[: len(trace.points)])
    assert {len(trace.points) for split in ("val", "test") for trace in cut.traces(split)} == {20}


def test_gaps_are_in_every_split_and_points_stay():
    plain, gapped = data(), data(gaps={"share": 0.25, "length": 5})
    for split in ("train", "val", "test"):
        for trace, truth in zip(gapped.traces(split), plain.traces(split), strict=True):
            assert trace.observed.sum() == 15
            assert np.array_equal(trace.points, truth.points)
    (batch,) = gapped.test_dataloader()
    assert batch.mask.sum() == 3 * 15
    assert torch.isnan(batch.x[~batch.mask]).all()


@pytest.mark.parametrize("least", [0, 21])
def test_min_steps_out_of_range(least):
    with pytest.raises(ValueError, match=rf"data\.min_steps must be in \[1, data\.steps = 20\], but is {least}"):
        data(min_steps=least)
