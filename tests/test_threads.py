"""Threads that share a batch: together they compute what one computes, forward and backward."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from vrnn.data.loader import Batch
from vrnn.networks.mlp import MLP
from vrnn.runs.build import build_run
from vrnn.runs.config import check
from vrnn.threads import map_over_batch, set_threads

STEPS, BATCH, WIDTH = 5, 29, 6  # 29 traces are three chunks of 9, 10 and 10

counts = pytest.mark.parametrize("threads", [1, 2, 3])


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    set_threads(1)


@pytest.fixture
def network() -> MLP:
    torch.manual_seed(0)
    return MLP(2 * WIDTH, [8, 3], "tanh").double()


@pytest.fixture
def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(STEPS, BATCH, WIDTH, dtype=torch.double, generator=generator) for _ in range(2)]


def of_classes(network: MLP) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function with a dimension before (T, B), as the decoder for every class has."""
    return lambda h, context: torch.stack([network(torch.cat([k * h, context], -1)) for k in (1, 2)])


@counts
def test_result_and_gradients_are_those_of_the_whole(network, inputs, threads):
    network[0].weight.requires_grad_(False)  # a frozen weight
    h, context = inputs[0].requires_grad_(), inputs[1]
    wanted = [h, *(w for w in network.parameters() if w.requires_grad)]
    expected = of_classes(network)(h, context)
    d_result = torch.linspace(-1, 1, expected.numel(), dtype=torch.double).view_as(expected)
    set_threads(threads)
    result = map_over_batch(of_classes(network), [network], h, context)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-14)
    theirs = torch.autograd.grad(expected, wanted, d_result)
    ours = torch.autograd.grad(result, wanted, d_result, retain_graph=True)
    again = torch.autograd.grad(result, wanted, d_result)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert all(map(torch.equal, ours, again))


def test_each_thread_has_traces_of_its_own(network, inputs):
    barrier, seen = threading.Barrier(3, timeout=60), []

    def function(h: Tensor, context: Tensor) -> Tensor:
        barrier.wait()  # raises unless three threads are here at once
        seen.append(h.shape[1])
        return network(torch.cat([h, context], -1))

    set_threads(3)
    map_over_batch(function, [network], *inputs)
    assert sorted(seen) == [9, 10, 10]


def test_hooks_see_the_whole_batch(network, inputs):
    """A hook may draw random numbers, as dropout does: threads would take them in any order."""
    seen = []
    network[1].register_forward_hook(lambda module, given, units: seen.append(units.shape[1]))
    set_threads(3)
    map_over_batch(lambda h, context: network(torch.cat([h, context], -1)), [network], *inputs)
    assert seen == [BATCH]


def test_without_gradients_nothing_is_kept(network, inputs):
    set_threads(2)
    with torch.no_grad():
        result = map_over_batch(of_classes(network), [network], *inputs)
    assert result.grad_fn is None
    assert torch.equal(result, of_classes(network)(*inputs).detach())


@pytest.mark.parametrize("condition", ["none", "label"])
def test_a_recipe_s_loss_and_gradients_are_the_same(composed, condition):
    """The sum over classes, the wake phase and the forecast; a gap in the points."""
    dataset = ["dataset=classes"] if condition == "label" else []
    _, module, _ = build_run(
        check(composed("experiment=circle_triangle_eight", "model=tiny", f"condition={condition}", *dataset))
    )
    module.double()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(60, BATCH, 2, dtype=torch.double, generator=generator).cumsum(0) / 10
    mask = torch.ones(60, BATCH, dtype=torch.bool)
    mask[50:, ::3] = False
    labels = torch.arange(BATCH) % 2 if condition == "label" else None
    batch = Batch(x, mask, torch.ones(BATCH, dtype=torch.bool), labels)

    def gradients(threads: int) -> list[Tensor]:
        set_threads(threads)
        torch.manual_seed(3)
        module.carried = None
        loss = module.training_step(batch, 0)
        return [loss.detach(), *torch.autograd.grad(loss, [w for w in module.parameters() if w.requires_grad])]

    alone, shared, again = gradients(1), gradients(3), gradients(3)
    torch.testing.assert_close(shared, alone, rtol=1e-9, atol=1e-12)
    assert all(map(torch.equal, shared, again))
