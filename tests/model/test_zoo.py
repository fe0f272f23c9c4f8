"""What comes out of the VRNN's parts when some are left out or exchanged: baselines, other latents, missing points."""

import pytest
import torch
from torch import nn

from vrnn.model import VRNN
from vrnn.networks import GRU, Coordinates, Elman, NoRecurrence, StandardPrior
from vrnn.objective import CategoricalLatent, GaussianLatent, GaussianLikelihood, MSELikelihood, NoLatent

SIZES = {"h_dim": 5, "phi_x": [4], "phi_z": [3], "prior": [6], "encoder": [7], "decoder": [6]}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def walk(steps=9, batch=3):
    return 0.1 * torch.randn(steps, batch, 2, dtype=torch.float64).cumsum(0)


def test_without_z_it_is_a_next_point_rnn():
    """The same weights in nn.GRU, shifted by a step: h_{t-1} has seen x up to t - 1."""
    vrnn, x = (
        VRNN(
            **SIZES, latent=NoLatent(), coordinates=Coordinates("position", relative_to="nothing", scale=1.0)
        ).double(),
        walk(),
    )
    gru = nn.GRU(4, 5).double()
    gru.load_state_dict({f"{name}_l0": weight for name, weight in vrnn.recurrence.cell.state_dict().items()})
    h, _ = gru(vrnn.phi_x(x))
    h = torch.cat([torch.zeros_like(h[:1]), h[:-1]])
    mean, std = vrnn.decoder(h).chunk(2, -1)
    run = vrnn.infer(x)
    torch.testing.assert_close(run.decoder[0], mean)
    torch.testing.assert_close(run.decoder[1], nn.functional.softplus(std) + 1e-3)
    assert vrnn.latent.kl(run.q, run.p).sum(-1).abs().sum() == 0
    assert vrnn.generate(2, 4).shape == (4, 2, 2)
    assert {name.split(".")[0] for name, _ in vrnn.named_parameters()} == {"phi_x", "decoder", "recurrence"}


def test_without_memory_it_is_a_vae_of_single_points():
    """Shuffling time shuffles the results, and the prior is N(0, 1)."""
    coordinates = Coordinates("position", relative_to="nothing", scale=1.0)
    vrnn = VRNN(
        **{**SIZES, "h_dim": 0}, recurrence=NoRecurrence, prior_network=StandardPrior, coordinates=coordinates
    ).double()
    x, order = walk(), torch.randperm(9)
    run, shuffled = vrnn.infer(x), vrnn.infer(x[order])
    torch.testing.assert_close(run.q[0][order], shuffled.q[0])
    assert (run.p[0] == 0).all()
    assert (run.p[1] == 1).all()
    assert vrnn.generate(2, 4).shape == (4, 2, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"recurrence": NoRecurrence},
        {"h_dim": 0},
        {"recurrence": NoRecurrence, "h_dim": 0},
        {"recurrence": NoRecurrence, "h_dim": 0, "prior_network": StandardPrior, "latent": NoLatent()},
    ],
)
def test_parts_that_contradict_each_other_are_refused(options):
    with pytest.raises(ValueError, match=r"h_dim must|learned prior|needs a memory"):
        VRNN(**options)


def test_exact_distortion_sums_the_decoder_over_all_classes():
    """Brute force: one inference a class with the class forced, the recurrence following the sampled one."""
    latent = CategoricalLatent(classes=4, estimator="exact")
    vrnn, x = VRNN(**SIZES, latent=latent, recurrence=Elman).double(), walk()
    run = vrnn.infer(x)
    expected = torch.zeros(9, 3, dtype=torch.float64)
    for c in range(4):
        phi_z = vrnn.phi_z(torch.eye(4, dtype=torch.float64)[c]).expand(9, 3, -1)
        raw = vrnn.decoder(torch.cat([phi_z, run.h], -1))
        dist = vrnn.likelihood.from_raw(raw, run.mean_offset, vrnn.coordinates.scale)
        expected += run.q[0].exp()[..., 0, c] * -vrnn.likelihood.log_prob(dist, x)
    torch.testing.assert_close(vrnn.distortion(run), expected)
    sampled = -vrnn.likelihood.log_prob(run.decoder, x)
    assert not torch.allclose(sampled, expected)


def test_a_predictive_decoder_is_held_against_the_next_point():
    coordinates = Coordinates("position", relative_to="nothing", scale=1.0, predicts="next")
    vrnn, x = VRNN(**SIZES, coordinates=coordinates, likelihood=MSELikelihood()).double(), walk(6, 2)
    run = vrnn.infer(x)
    assert torch.equal(run.x[:-1], x[1:])
    assert run.mask.sum(0).tolist() == [5, 5]
    mask = torch.tensor([[True, True]] * 3 + [[True, False]] * 3)
    assert vrnn.infer(x, mask=mask).mask.sum(0).tolist() == [5, 2]
    with pytest.raises(ValueError, match="relative_to=nothing"):
        Coordinates(predicts="next")
    mask[2, 0] = False
    for missing in (lambda: vrnn.infer(x, mask=mask), lambda: vrnn.impute(x, mask)):
        with pytest.raises(ValueError, match=r"frame\.predicts=next cannot fill in missing points"):
            missing()


FRAMES = [
    Coordinates("position", relative_to="nothing", scale=1.0),
    Coordinates("position_difference", relative_to="velocity", scale=0.1),
]


@pytest.mark.parametrize("coordinates", FRAMES, ids=lambda coordinates: coordinates.relative_to)
@pytest.mark.parametrize(
    "latent", [GaussianLatent(3), CategoricalLatent(2, 3), NoLatent()], ids=lambda x: type(x).__name__
)
def test_filling_infers_at_points_and_generates_in_gaps(coordinates, latent):
    vrnn = VRNN(**SIZES, coordinates=coordinates, latent=latent, engine="reference").double()
    x = walk(8, 2)
    mask = torch.ones(8, 2, dtype=torch.bool)
    mask[3:6] = False
    hidden = torch.where(mask.unsqueeze(-1), x, torch.nan)
    run = vrnn.infer(hidden, mask=mask, generator=torch.Generator().manual_seed(1))
    assert torch.equal(run.filled[mask], x[mask])
    assert torch.isfinite(run.filled).all()
    assert latent.kl(run.q, run.p)[3:6].abs().sum() == 0
    # As if the filled points had been seen, the decoder and the prior are the same: they look at the past alone.
    shifted = run.filled.clone()
    shifted[-1] += 1.0
    for later, known in ((run.filled, slice(None)), (shifted, slice(0, 7))):
        again = follow(vrnn, later, run.z)
        torch.testing.assert_close(again[known], run.decoder[0][known])


def follow(vrnn, x, z):
    """The decoder's means along x with z given, from the equations."""
    memory = torch.zeros(x.shape[1], vrnn.recurrence.state_dim, dtype=x.dtype)
    means = []
    for t in range(len(x)):
        last = x[t - 1] if t else torch.zeros_like(x[0])
        before = x[t - 2] if t > 1 else last
        phi_z, h = vrnn.phi_z(z[t]), vrnn.recurrence.output(memory)
        means.append(vrnn.decode(phi_z, h, last, before)[0])
        memory = vrnn.recurrence(torch.cat([vrnn.phi_x(vrnn.coordinates.features(x[t], last)), phi_z], -1), memory)
    return torch.stack(means)


def test_gaps_at_the_start_and_between_windows():
    """Two windows with carried state give what one gives."""
    vrnn, x = VRNN(**SIZES, recurrence=GRU, engine="reference").double(), walk(8, 2)
    mask = torch.ones(8, 2, dtype=torch.bool)
    mask[:2, 0] = mask[3:6, 1] = False
    silent = [(vrnn.encoder.head, slice(8, None)), (vrnn.prior.head, slice(8, None))]
    with torch.no_grad():  # deviations of nil: the noise, drawn in another order by two windows, makes no difference
        for head, std in silent:
            head.weight[std], head.bias[std] = 0, -60
        vrnn.decoder[1].weight[2:], vrnn.decoder[1].bias[2:] = 0, -60
    vrnn.latent.floor = 0.0
    vrnn.likelihood.floor = 0.0
    whole = vrnn.infer(x, mask=mask)
    first = vrnn.infer(x[:4], mask=mask[:4], fill=True)
    second = vrnn.infer(x[4:], first.state, mask=mask[4:], fill=True)
    torch.testing.assert_close(torch.cat([first.filled, second.filled]), whole.filled)
    torch.testing.assert_close(second.state.memory, whole.state.memory)


def test_what_is_filled_in_is_drawn_from_the_decoder():
    """A gap's first point over 20 000 traces has the decoder's mean and variance within 5 standard errors (z silenced)."""
    vrnn = VRNN(**SIZES, likelihood=GaussianLikelihood(floor=0.2), engine="reference").double()
    with torch.no_grad():
        vrnn.encoder.head.weight[8:], vrnn.encoder.head.bias[8:] = 0, -60
        vrnn.prior.head.weight[8:], vrnn.prior.head.bias[8:] = 0, -60
    vrnn.latent.floor, n = 1e-9, 20_000
    x, mask = walk(4, 1).expand(-1, n, -1), torch.tensor([True, True, False, True]).unsqueeze(1).expand(-1, n)
    filled = vrnn.impute(x, mask, generator=torch.Generator().manual_seed(2))
    mean, std = (part[2, 0].detach() for part in vrnn.infer(x[:, :1], mask=mask[:, :1]).decoder)
    assert ((filled[2].mean(0) - mean).abs() < 5 * std / n**0.5).all()
    assert ((filled[2].std(0) / std - 1).abs() < 5 / (2 * n) ** 0.5).all()


def test_gradients_pass_over_a_gap_and_a_nan_in_it_does_not():
    vrnn, x = VRNN(**SIZES).double(), walk(8, 2)
    mask = torch.ones(8, 2, dtype=torch.bool)
    mask[2:5, 0] = False
    hidden = torch.where(mask.unsqueeze(-1), x, torch.nan)
    run = vrnn.infer(hidden, mask=mask)
    loss = vrnn.distortion(run)[5:, 0].sum() + vrnn.latent.kl(run.q, run.p).sum()
    loss.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in vrnn.parameters())


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"mask must have shape"):
        VRNN().infer(torch.zeros(4, 2, 2), mask=torch.ones(4, dtype=torch.bool))
