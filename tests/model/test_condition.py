"""A model with labels: what it is given, how windows carry it, and what it refuses."""

import pytest
import torch

from vrnn.model import VRNN, log_evidence
from vrnn.networks import LabelCondition, SeriesCondition
from vrnn.objective import FIVO, CategoricalLatent, NoLatent

LABELS = torch.tensor([0, 1, 2])


def conditioned(**options):
    torch.manual_seed(0)
    return VRNN(z_dim=3, h_dim=8, condition=LabelCondition(["circle", "eight", "eye"], 4), **options).double().eval()


def seeded():
    return torch.Generator().manual_seed(1)


@torch.no_grad()
def test_windows_together_are_the_whole():
    vrnn = conditioned(latent=NoLatent())
    x = torch.randn(6, 3, 2).double()
    whole = vrnn.infer(x, condition=LABELS)
    first = vrnn.infer(x[:4], condition=LABELS)
    second = vrnn.infer(x[4:], first.state, condition=LABELS)
    torch.testing.assert_close(torch.cat([first.h, second.h]), whole.h, rtol=0, atol=1e-12)


@torch.no_grad()
def test_each_trace_has_its_own_label():
    vrnn = conditioned()
    together = vrnn.generate(3, 20, generator=seeded(), condition=LABELS)
    alike = vrnn.generate(3, 20, generator=seeded(), condition=torch.tensor([0, 0, 2]))
    assert torch.equal(together[:, [0, 2]], alike[:, [0, 2]])
    assert not torch.equal(together[:, 1], alike[:, 1])


def on_series(**options):
    torch.manual_seed(0)
    condition = SeriesCondition(["heat", "wind"], [5])
    return VRNN(z_dim=3, h_dim=8, condition=condition, **options).double().eval(), torch.randn(9, 3, 2).double()


@torch.no_grad()
def test_windows_of_series_are_the_whole():
    vrnn, series = on_series(latent=NoLatent())
    x = torch.randn(9, 3, 2).double()
    whole = vrnn.infer(x, condition=series)
    first = vrnn.infer(x[:4], condition=series[:4])
    second = vrnn.infer(x[4:], first.state, condition=series[4:])
    torch.testing.assert_close(torch.cat([first.h, second.h]), whole.h, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_step_depends_on_no_later_series():
    """What is generated after a prefix sees the series at its own step: a change at step 6 of 9 changes nothing before it."""
    vrnn, series = on_series()
    x, later = torch.randn(4, 3, 2).double(), series.clone()
    later[6] += 1.0
    ours, theirs = (vrnn.generate(3, 5, x, generator=seeded(), condition=given) for given in (series, later))
    assert torch.equal(ours[:2], theirs[:2])
    assert not torch.equal(ours[2], theirs[2])
    earlier = series.clone()
    earlier[3] += 1.0
    assert not torch.equal(vrnn.generate(3, 5, x, generator=seeded(), condition=earlier)[0], ours[0])


@torch.no_grad()
def test_particles_and_gaps_have_series():
    """One particle's bound and filling are those of the model itself, also where windows are cut at every step."""
    vrnn, series = on_series(latent=NoLatent())
    x, mask = torch.randn(9, 3, 2).double(), torch.ones(9, 3, dtype=torch.bool)
    run = vrnn.infer(x, condition=series)
    expected = vrnn.likelihood.log_prob(run.decoder, x).sum(0)
    for bound in (FIVO(4), FIVO(1)):
        torch.testing.assert_close(log_evidence(vrnn, x, bound, condition=series), expected)
    mask[3:5] = False
    filled = vrnn.impute(x, mask, seeded(), 4, series)
    assert torch.equal(filled[mask], x[mask])
    assert not torch.equal(filled, x)


def test_series_that_are_refused():
    vrnn, series = on_series()
    for given, message in (
        (None, r"exogenous series heat, wind of shape \(T, B, c\) = \(5, 3, 2\), but is missing"),
        (series[:4], "the steps of condition must be 5, but is 4"),
        (series[:5, :2], r"= \(5, 3, 2\), but has \(5, 2, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            vrnn.generate(3, 5, condition=given)
    with pytest.raises(ValueError, match=r"of shape \(T, 2\) or \(T, 3, 2\), but has the shape \(9, 3, 1\)"):
        vrnn.condition.as_tensor(series[..., :1], 3)
    with pytest.raises(ValueError, match="finite at every step"):
        vrnn.condition.as_tensor(torch.full((9, 2), torch.nan), 3)
    assert torch.equal(vrnn.condition.as_tensor(series[:, 0].numpy(), 3)[:, 2], series[:, 0])


def test_sum_over_classes_is_exact():
    """The decoder's term for each class of z is that of the decoder given this class."""
    vrnn = conditioned(latent=CategoricalLatent(classes=4, estimator="exact"))
    run = vrnn.infer(torch.randn(5, 3, 2).double(), condition=LABELS)
    per_class = vrnn.distortion_per_class(run)
    for i in range(4):
        z = torch.eye(4).double()[i].expand(5, 3, 4)
        raw = vrnn.decoder(torch.cat([run.context, vrnn.embed(z, run.context), run.h], dim=-1))
        decoder = vrnn.likelihood.from_raw(raw, run.mean_offset, vrnn.coordinates.scale)
        torch.testing.assert_close(per_class[i], vrnn.likelihood.distortion(decoder, run.x, None))


@torch.no_grad()
def test_particles_and_gaps_have_labels():
    vrnn = conditioned()
    x, mask = torch.randn(8, 3, 2).double(), torch.ones(8, 3, dtype=torch.bool)
    assert log_evidence(vrnn, x, FIVO(4), condition=LABELS).shape == (3,)
    mask[3:5] = False
    for particles in (1, 4):
        filled = vrnn.impute(x, mask, seeded(), particles, LABELS)
        assert torch.equal(filled[mask], x[mask])
        assert not torch.equal(filled, x)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (None, "condition must be one of circle, eight, eye per trace"),
        (torch.tensor([0, 1]), r"condition must have shape \(B,\) = \(3,\)"),
        (torch.tensor([0, 1, 3]), "condition must be an index into the labels circle, eight, eye"),
    ],
)
def test_labels_that_are_refused(condition, message):
    with pytest.raises(ValueError, match=message):
        conditioned().generate(3, 5, condition=condition)


def test_labels_by_name():
    condition = conditioned().condition
    assert condition.as_tensor("eye", 2).tolist() == [2, 2]
    assert condition.as_tensor(["eye", "circle"], 2).tolist() == [2, 0]
    for names, message in (
        ("square", "must be one of circle, eight, eye, but is 'square'"),
        (None, "circle, eight, eye, but is missing"),
        (["eye"], "one for each of 2"),
    ):
        with pytest.raises(ValueError, match=message):
            condition.as_tensor(names, 2)
    with pytest.raises(
        ValueError, match="left out for a model without a condition, but is 'eye': train with condition"
    ):
        VRNN().condition.as_tensor("eye", 2)
