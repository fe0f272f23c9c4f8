"""Each cell against its formula."""

import pytest
import torch

from vrnn.networks import GRU, LSTM, MTRNN, Elman

B, D, H = 3, 4, 6


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(B, n, generator=generator) for n in (D, H, H))


def test_elman(inputs):
    x, h, _ = inputs
    cell = Elman(D, H).cell
    expected = torch.tanh(x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh)
    elman = Elman(D, H)
    elman.cell.load_state_dict(cell.state_dict())
    torch.testing.assert_close(elman(x, h), expected)


def test_gru(inputs):
    x, h, _ = inputs
    gru = GRU(D, H)
    gates_x = (x @ gru.cell.weight_ih.T + gru.cell.bias_ih).chunk(3, -1)
    gates_h = (h @ gru.cell.weight_hh.T + gru.cell.bias_hh).chunk(3, -1)
    reset, keep = (torch.sigmoid(a + b) for a, b in zip(gates_x[:2], gates_h[:2], strict=True))
    new = torch.tanh(gates_x[2] + reset * gates_h[2])
    torch.testing.assert_close(gru(x, h), (1 - keep) * new + keep * h)


def test_lstm_carries_h_and_c(inputs):
    x, h, c = inputs
    lstm = LSTM(D, H)
    gates = x @ lstm.cell.weight_ih.T + lstm.cell.bias_ih + h @ lstm.cell.weight_hh.T + lstm.cell.bias_hh
    i, f, g, o = gates.chunk(4, -1)
    c_next = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h_next = torch.sigmoid(o) * torch.tanh(c_next)
    state = lstm(x, torch.cat([h, c], -1))
    torch.testing.assert_close(state, torch.cat([h_next, c_next], -1))
    torch.testing.assert_close(lstm.output(state), h_next)


def test_mtrnn_is_leaky_at_its_own_taus(inputs):
    x, h, _ = inputs
    mtrnn = MTRNN(D, H, taus=[2.0, 10.0], shares=[2, 1])
    tau = torch.tensor([2.0] * 4 + [10.0] * 2)
    driven = torch.tanh(
        x @ mtrnn.cell.weight_ih.T + mtrnn.cell.bias_ih + h @ mtrnn.cell.weight_hh.T + mtrnn.cell.bias_hh
    )
    torch.testing.assert_close(mtrnn(x, h), (1 - 1 / tau) * h + driven / tau)


def test_mtrnn_with_one_timescale_of_1_is_elman(inputs):
    x, h, _ = inputs
    mtrnn, elman = MTRNN(D, H, taus=[1.0], shares=[1]), Elman(D, H)
    elman.cell.load_state_dict(mtrnn.cell.state_dict())
    torch.testing.assert_close(mtrnn(x, h), elman(x, h))


@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_chrono_gates_keep_for_up_to_t_max_steps(kind):
    """At zero input the keeping gate is sigma(bias) = 1 - 1 / T with T between 2 and T_max."""
    torch.manual_seed(0)
    cell = kind(D, 200, chrono=150).cell
    gate = slice(200, 400)  # GRU: update; LSTM: forget
    memory = 1 / (1 - torch.sigmoid(cell.bias_ih[gate] + cell.bias_hh[gate]))
    assert memory.min() >= 2
    assert memory.max() <= 150
    assert 60 < memory.mean() < 90  # uniform between 2 and 150: mean 76, standard error 3
    if kind is LSTM:
        torch.testing.assert_close(cell.bias_ih[:200], -cell.bias_ih[gate])


@pytest.mark.parametrize(
    "make",
    [
        lambda: GRU(D, H, chrono=2),
        lambda: MTRNN(D, H, taus=[4.0], shares=[1, 2]),
        lambda: MTRNN(D, H, taus=[0.5], shares=[1]),
    ],
)
def test_bad_cells_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()
