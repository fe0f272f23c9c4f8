"""Every window of every trace once an epoch, in an order that (seed, epoch) fixes and a position resumes."""

import numpy as np
import pytest
import torch

from vrnn.data import TraceDataModule, TraceLoader, TraceSet
from vrnn.patterns import Trace


def traces(lengths) -> TraceSet:
    """Trace i's point t is (i, t): every batch tells where it comes from."""
    unknown = [np.full(n, -1) for n in lengths]
    points = [np.stack([np.full(n, i), np.arange(n)], -1).astype(float) for i, n in enumerate(lengths)]
    return TraceSet([Trace(p, u, u) for p, u in zip(points, unknown, strict=True)])


def loader(total: int, seed: int = 0, lengths=(10,) * 5, batch_size: int = 2, window: int | None = 4) -> TraceLoader:
    return TraceLoader(traces(lengths), batch_size, window, seed, total)


def test_an_epoch_holds_every_point_once_and_windows_in_order():
    one = loader(total=9)  # 3 groups of traces x 3 windows
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


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed):
        return [batch.x[0, :, 0].tolist() for batch in loader(total=18, seed=seed)]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0)[:9] != order(0)[9:]


@pytest.mark.parametrize("position", [1, 5, 9, 13])
def test_resumes_from_its_position(position):
    whole, part, rest = list(loader(total=20)), loader(total=20), loader(total=20)
    iterator = iter(part)
    for _ in range(position):
        next(iterator)
    rest.load_state_dict(part.state_dict())
    for ours, theirs in zip(list(rest), whole[position:], strict=True):
        assert torch.equal(ours.x, theirs.x)
        assert torch.equal(ours.start, theirs.start)


def test_traces_of_unequal_length_are_masked():
    batch = next(iter(loader(total=1, lengths=(3, 6), window=None)))
    assert batch.mask.sum(0).tolist() == [3, 6] or batch.mask.sum(0).tolist() == [6, 3]
    assert torch.equal(torch.isnan(batch.x).any(-1), ~batch.mask)


def test_a_group_ends_with_its_own_longest_trace():
    """Traces of 3 and 10 points, one at a time: 1 and 3 windows, none of them empty."""
    batches = list(loader(total=8, lengths=(3, 10), batch_size=1))
    assert all(batch.mask.any() for batch in batches)
    assert [sum(int(batch.mask.sum()) for batch in batches[first : first + 4]) for first in (0, 4)] == [13, 13]


def test_a_finished_stream_begins_anew():
    one = loader(total=2)
    assert [len(list(one)) for _ in range(2)] == [2, 2]


def test_no_traces_is_an_error():
    with pytest.raises(ValueError, match="at least one trace"):
        TraceSet([])


class Walk:
    """A pattern of random walks."""

    def draw(self, split, n, steps, rng):
        unknown = np.full(steps, -1)
        return [Trace(rng.standard_normal((steps, 2)).cumsum(0), unknown, unknown) for _ in range(n)]


def test_splits_have_seeds_of_their_own():
    def module(seed):
        return TraceDataModule(
            Walk(), total=3, seed=seed, traces=4, steps=20, val_traces=4, test_traces=4, eval_steps=20
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
