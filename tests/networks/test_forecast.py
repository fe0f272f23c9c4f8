"""The forecast's loss against loops over all pairs, and its weight over the optimiser steps."""

import math

import pytest
import torch

from vrnn.networks import Forecast


@torch.no_grad()
def by_loops(forecast, h, x, mask):
    """Mean over horizons of the mean squared distance over observed pairs, one pair at a time."""
    means = []
    for i, k in enumerate(forecast.horizons):
        squares = [
            float((x[t + k, b] - forecast.network(h[t, b])[2 * i : 2 * i + 2]).square().sum())
            for t in range(len(x) - k)
            for b in range(x.shape[1])
            if mask is None or mask[t + k, b]
        ]
        if squares:
            means.append(sum(squares) / len(squares))
    return forecast.weight * sum(means) / len(means) / (2 * forecast.scale**2)


def value(loss):
    return float(loss.detach())


def given(steps=9):
    torch.manual_seed(0)
    forecast = Forecast(5, 2, horizons=(1, 4, 8), hidden=(6,), weight=0.3, scale=0.5, hold=2, end=6).double()
    return forecast, torch.randn(steps, 3, 5).double(), torch.randn(steps, 3, 2).double()


def test_the_loss_by_loops_over_all_pairs():
    forecast, h, x = given()
    assert value(forecast(h, x, None)) == pytest.approx(by_loops(forecast, h, x, None), rel=1e-12)


def test_hidden_points_are_no_targets():
    """A horizon without any observed pair is left out of the mean, and what a hidden point holds does not matter."""
    forecast, h, x = given()
    mask = torch.rand(9, 3) < 0.6
    mask[8] = False  # the only targets of horizon 8
    expected = by_loops(forecast, h, x, mask)
    assert value(forecast(h, x.masked_fill(~mask.unsqueeze(-1), 7.0), mask)) == pytest.approx(expected, rel=1e-12)


def test_pairs_beyond_the_window_are_left_out():
    forecast, h, x = given(steps=4)  # only horizon 1 has pairs
    assert value(forecast(h, x, None)) == pytest.approx(by_loops(forecast, h, x, None), rel=1e-12)
    forecast, h, x = given(steps=1)
    assert value(forecast(h, x, None)) == 0.0


def test_the_weight_holds_then_falls_to_zero():
    forecast, h, x = given()
    full = value(forecast.eval()(h, x, None))
    forecast.train()
    found = [value(forecast(h, x, None)) / full for _ in range(8)]
    assert found == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25, 0, 0])
    restored, _, _ = given()
    restored.load_state_dict(forecast.state_dict())
    assert value(restored(h, x, None)) == 0.0


def test_every_parameter_is_in_the_graph_at_weight_zero():
    """DistributedDataParallel waits for the gradient of each."""
    forecast, h, x = given()
    forecast.n += 100
    gradients = torch.autograd.grad(forecast(h, x, None), list(forecast.parameters()))
    assert all(float(gradient.abs().sum()) == 0.0 for gradient in gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": ()}, "forecast.horizons must be steps ahead"),
        ({"horizons": (0,)}, "forecast.horizons must be steps ahead"),
        ({"weight": -1.0}, "forecast.weight and scale must be positive, but are -1.0"),
        ({"hold": 5, "end": 4}, "0 <= hold <= end, but are 5 and 4"),
    ],
)
def test_impossible_forecasts_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Forecast(5, 2, **options)


def test_a_model_without_memory_is_refused():
    with pytest.raises(ValueError, match="forecast needs a memory"):
        Forecast(0, 2)
    assert math.isclose(Forecast(1, 2).present_weight(), 0.2)
