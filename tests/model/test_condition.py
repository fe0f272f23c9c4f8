"""A model with labels: what it is given, how windows carry it, and what it refuses."""

import pytest
import torch

from vrnn.model import VRNN, log_evidence
from vrnn.networks import LabelCondition
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
    assert condition.indices("eye", 2).tolist() == [2, 2]
    assert condition.indices(["eye", "circle"], 2).tolist() == [2, 0]
    for names, message in (
        ("square", "must be one of circle, eight, eye, but is 'square'"),
        (None, "circle, eight, eye, but is missing"),
        (["eye"], "one for each of 2"),
    ):
        with pytest.raises(ValueError, match=message):
            condition.indices(names, 2)
    with pytest.raises(
        ValueError, match="left out for a model without a condition, but is 'eye': train with condition"
    ):
        VRNN().condition.indices("eye", 2)
