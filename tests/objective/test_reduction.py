import torch

from vrnn.objective import mean_per_step, mean_per_trace


def test_against_a_loop():
    values = torch.arange(12.0, dtype=torch.float64).reshape(4, 3)
    mask = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
    seen = [float(v) for v, m in zip(values.flatten(), mask.flatten(), strict=True) if m]
    assert float(mean_per_step(values, mask)) == sum(seen) / 6
    assert float(mean_per_trace(values, mask)) == sum(seen) / 2  # the third trace has no step
    assert float(mean_per_step(values, None)) == float(values.mean())
    assert float(mean_per_trace(values, None)) == float(values.sum() / 3)


def test_nan_in_the_padding_leaks_nowhere():
    values = torch.tensor([[1.0, 2.0], [3.0, float("nan")]], requires_grad=True)
    mask = torch.tensor([[True, True], [True, False]])
    for reduce in (mean_per_step, mean_per_trace):
        values.grad = None
        loss = reduce(values, mask)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(values.grad).all()
        assert values.grad[1, 1] == 0
