"""Sizes of weights and inputs are checked before a kernel runs, since kernels index without bounds checks."""

import pytest
import torch
from torch import nn

from tests.engine.engine_pairs import inputs, model
from vrnn.engine.interface import Noise, Sampling
from vrnn.engine.native import autograd
from vrnn.engine.native.inspect import inspect_model
from vrnn.engine.native.layout import check_weights, layout
from vrnn.networks import LSTM, MTRNN, Elman, NoRecurrence, StandardPrior
from vrnn.objective import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent, NoLatent

STRUCTURES = {
    "gru": {},
    "lstm, classes": {"recurrence": LSTM, "latent": CategoricalLatent(2, 3)},
    "elman, standard prior": {"recurrence": Elman, "prior_network": StandardPrior},
    "mtrnn, both": {
        "recurrence": MTRNN,
        "latent": GaussianCategoricalLatent(GaussianLatent(3), CategoricalLatent(2, 3)),
    },
    "gumbel": {"latent": CategoricalLatent(2, 3, "gumbel_softmax")},
    "no latent": {"latent": NoLatent()},
    "vae": {"recurrence": NoRecurrence, "h_dim": 0, "prior_network": StandardPrior},
}


def change_size(weight: torch.Tensor, by: int, dim: int) -> nn.Parameter:
    shape = list(weight.shape)
    shape[dim] += by
    return nn.Parameter(weight.new_zeros(shape))


def run_both(vrnn):
    """Return functions that infer and that generate."""
    noise = Noise.draw(3, 5, vrnn.latent, 2, like=vrnn.initial_state(5).memory)
    return [
        lambda: autograd.unroll(vrnn, *inputs(vrnn)),
        lambda: autograd.generate(vrnn, noise, vrnn.initial_state(5), Sampling()),
    ]


@pytest.mark.parametrize("options", STRUCTURES.values(), ids=STRUCTURES)
def test_every_parameter_of_another_size_is_named(options):
    """Each parameter in turn, one row or column too many or too few: an error that names a weight, and no kernel runs."""
    for name, parameter in model(**options).named_parameters():
        for dim in range(parameter.dim()):
            for by in (-1, 1):
                vrnn = model(**options)
                owner, _, attribute = name.rpartition(".")
                setattr(vrnn.get_submodule(owner), attribute, change_size(parameter, by, dim))
                for run in run_both(vrnn):
                    with pytest.raises(RuntimeError, match=r"must have shape \(.*\) to fit"):
                        run()


@pytest.mark.parametrize("by", [-1, 1])
def test_the_error_names_the_weight_and_both_shapes(by):
    vrnn = model()
    vrnn.encoder.head.weight = change_size(vrnn.encoder.head.weight, by, dim=1)
    expected = rf"^encoder\.head\.weight must have shape \(6, 5\) .* but has \(6, {5 + by}\)"
    for run in run_both(vrnn):
        with pytest.raises(RuntimeError, match=expected):
            run()


def test_the_layout_takes_as_many_weights_as_inspection_lists():
    structure, weights = inspect_model(model())
    check_weights(layout(structure), weights)
    weights.popitem()
    with pytest.raises(RuntimeError, match="expects 33 weights, but inspection found 32"):
        check_weights(layout(structure), weights)


@pytest.mark.parametrize("name", ["features", "noise", "memory"])
def test_inputs_of_wrong_shapes(name):
    vrnn = model()
    given = dict(zip(("features", "noise", "memory"), inputs(vrnn), strict=True))
    given[name] = given[name][..., :-1]
    with pytest.raises(ValueError, match=f"^{name} must have shape"):
        autograd.unroll(vrnn, **given)


@pytest.mark.parametrize("name", ["memory", "previous", "previous2", "is_start"])
def test_generation_from_a_state_of_another_batch(name):
    vrnn = model()
    noise = Noise.draw(3, 5, vrnn.latent, 2, like=vrnn.initial_state(5).memory)
    state = vrnn.initial_state(5)._replace(**{name: getattr(vrnn.initial_state(4), name)})
    with pytest.raises(ValueError, match=f"^state.{name} must have shape"):
        autograd.generate(vrnn, noise, state, Sampling())


def test_generation_with_another_x_dim():
    vrnn = model()
    vrnn.x_dim = 3
    noise = Noise.draw(3, 5, vrnn.latent, 3, like=vrnn.initial_state(5).memory)
    with pytest.raises(RuntimeError, match=r"^phi_x\.0\.weight must have shape \(6, 6\)"):
        autograd.generate(vrnn, noise, vrnn.initial_state(5), Sampling())
