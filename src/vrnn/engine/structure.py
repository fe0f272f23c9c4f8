"""Can the kernels run this VRNN, and if so, of what structure is it?

Only modules of exactly the known classes, without hooks, are accepted: anything else may compute something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from vrnn.engine.drawing import LAST_POINT, NOTHING, VELOCITY, Manner
from vrnn.engine.interface import UnsupportedError
from vrnn.engine.plan import Drawn, Latent, Layers, Structure
from vrnn.engine.program import ELU, RELU, SIGMOID, SILU, SOFTPLUS, TANH
from vrnn.engine.tiles import lanes
from vrnn.objective.latents import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent, NoLatent
from vrnn.objective.likelihoods import (
    FixedGaussianLikelihood,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    MSELikelihood,
    MSEMeanLikelihood,
    SharedGaussianLikelihood,
)

if TYPE_CHECKING:
    from vrnn.networks.vrnn import VRNN

LINEAR, SEQUENTIAL = "torch.nn.modules.linear.Linear", "torch.nn.modules.container.Sequential"
ACTIVATIONS = {nn.ReLU: RELU, nn.Tanh: TANH, nn.ELU: ELU, nn.SiLU: SILU}
SQUASHES = {"softplus": SOFTPLUS, "sigmoid": SIGMOID}
LIKELIHOODS = (GaussianLikelihood, MSELikelihood, GaussianMixtureLikelihood)
OF_ONE_SIGMA = (FixedGaussianLikelihood, SharedGaussianLikelihood, MSEMeanLikelihood)
ORIGINS = {"nothing": NOTHING, "last_point": LAST_POINT, "velocity": VELOCITY}
RECURRENCES = {f"vrnn.networks.recurrence.{kind}": kind for kind in ("Elman", "GRU", "LSTM", "MTRNN")}
RECURRENCES["vrnn.networks.recurrence.NoRecurrence"] = ""
STANDARD = "vrnn.networks.feedforward.StandardPrior"
ABOUT_Z = ("vrnn.networks.feedforward.LatentNetwork", STANDARD)
LATENTS = (GaussianLatent, CategoricalLatent, NoLatent)


def examine(vrnn: VRNN) -> tuple[Structure, list[Tensor]]:
    """Return a VRNN's structure and its weights in the order the plan takes them.

    Raises:
        UnsupportedError: the kernels do not know one of its parts.
    """
    known(vrnn, "vrnn.networks.vrnn.VRNN")
    known(vrnn.decoder, SEQUENTIAL)
    hidden, last = vrnn.decoder
    weights: list[Tensor] = []
    latent = kind_of_z(vrnn.latent)
    networks: dict[str, Any] = {"latent": latent, "phi_x": layers(vrnn.phi_x, weights)}
    if latent.draw != "probable":
        weights.append(gumbel_constants(vrnn.latent, like=weights[0]))
    networks |= {
        "phi_z": layers(vrnn.phi_z, weights) if latent.z_dim else (),
        "encoder": about_z(vrnn.encoder, vrnn.latent, weights),
        "prior": about_z(vrnn.prior, vrnn.latent, weights),
        "decoder": layers(hidden, weights),
        "outputs": linear(last, weights),
        "recurrence": recurrence(vrnn.recurrence, weights),
    }
    require(networks["encoder"] or not latent.z_dim, "they need an encoder that learns")
    first = weights[0]
    kinds = {(weight.dtype, weight.device) for weight in weights}
    require(first.device.type == "cpu", f"they run on the CPU, but the weights are on {first.device}")
    require(len(kinds) == 1, "they need all weights in one place and precision")
    require(first.dtype in (torch.float32, torch.float64), f"they know float32 and float64, not {first.dtype}")
    return Structure(lane=lanes(first.itemsize), features=first.shape[1], h_dim=vrnn.h_dim, **networks), weights


def manner(vrnn: VRNN, sample: bool) -> tuple[Manner, tuple[float, ...]]:
    """Return how the VRNN draws its points, and: the frame's scale, the deviations' floor and width, the frame's gain.

    A width of 0 means that there are no raw deviations: all are the floor.

    Raises:
        UnsupportedError: the kernels do not know its likelihood or its frame.
    """
    frame, likelihood = vrnn.frame, cast(Any, vrnn.likelihood)
    known(frame, "vrnn.networks.frame.Frame")
    require(type(likelihood) in LIKELIHOODS + OF_ONE_SIGMA, f"they know no likelihood {name(type(likelihood))}")
    if type(likelihood) in OF_ONE_SIGMA:
        squash, floor, width = SOFTPLUS, float(likelihood.sigma().detach()), 0.0
    elif likelihood.ceiling is None:
        squash, floor, width = SOFTPLUS, likelihood.floor, frame.scale
    else:
        squash, floor, width = SIGMOID, likelihood.floor, likelihood.ceiling - likelihood.floor
    kinds = Manner(
        x_dim=vrnn.x_dim,
        components=getattr(likelihood, "components", 0),
        squash=squash,
        origin=ORIGINS[frame.relative_to],
        differences=int(frame.inputs == "position_difference"),
        sample=int(sample),
    )
    return kinds, (frame.scale, floor, width, frame.difference_gain)


def require(condition: object, what: str) -> None:
    """Raise UnsupportedError unless the condition holds."""
    if not condition:
        raise UnsupportedError(what)


def name(kind: type) -> str:
    """Where a class is defined: this room lies below the networks and cannot import their classes."""
    return f"{kind.__module__}.{kind.__qualname__}"


def known(module: nn.Module, *expected: str) -> str:
    """Return the module's class if it is exactly one of the expected, and without hooks."""
    found = name(type(module))
    require(found in expected, f"they know no {found}")
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    require(not hooks, f"the {found} has hooks, which they would not call")
    return found


def linear(module: nn.Module, weights: list[Tensor]) -> int:
    """Collect a linear layer's weights and return its width."""
    known(module, LINEAR)
    weights += module._parameters.values()  # type: ignore[arg-type]
    require(weights[-1] is not None, "they know no layer without a bias")
    return len(weights[-1])


def layers(mlp: Any, weights: list[Tensor]) -> Layers:
    """Collect an MLP's weights and return the width and activation of each layer."""
    known(mlp, "vrnn.networks.feedforward.MLP")
    modules, found = list(mlp), []
    for dense, activation in zip(modules[::2], modules[1::2], strict=True):
        require(type(activation) in ACTIVATIONS, f"they know no activation {name(type(activation))}")
        kind = ACTIVATIONS[type(activation)]
        known(activation, name(type(activation)))
        require(kind != ELU or activation.alpha == 1.0, "they know no ELU but that of alpha = 1")
        found.append((linear(dense, weights), kind))
    return tuple(found)


def kind_of_z(latent: Any) -> Latent:
    """Return of what z is made."""
    parts = [latent.gaussian, latent.categorical] if type(latent) is GaussianCategoricalLatent else [latent]
    z = Latent()
    for part in parts:
        require(type(part) in LATENTS, f"they know no latent {name(type(part))}")
        if type(part) is GaussianLatent:
            z = z._replace(gaussian=part.z_dim, squash=SQUASHES[part.std])
        if type(part) is CategoricalLatent:
            with_gumbel: Drawn = "soft" if part.training else "highest"
            drawn = with_gumbel if part.estimator == "gumbel_softmax" else "probable"
            z = z._replace(variables=part.variables, classes=part.classes, draw=drawn)
    return z


def gumbel_constants(latent: Any, like: Tensor) -> Tensor:
    """Return what makes a class of Gumbel noise: 1 / temperature, the smallest number with a logarithm, 0."""
    temperature = getattr(latent, "categorical", latent).temperature
    return like.new_tensor([1 / temperature, torch.finfo(like.dtype).tiny, 0.0])


def about_z(network: Any, latent: Any, weights: list[Tensor]) -> Layers:
    """Collect the weights of a network that ends in a distribution over z, and that distribution's constants."""
    kind = known(network, *ABOUT_Z)
    require(network.latent is latent, "they know no networks about another z than the VRNN's")
    if kind == STANDARD:
        dist = latent.standard(weights[0].new_zeros(1, 0))
        probs = [part.exp() for part in dist[-1:] if part.dim() > 2]
        weights += [*dist, *probs] if latent.z_dim else []
        return ()
    found = layers(network.hidden, weights)
    linear(network.head, weights)
    gaussian, categorical = getattr(latent, "gaussian", latent), getattr(latent, "categorical", latent)
    if type(gaussian) is GaussianLatent:
        weights.append(weights[0].new_tensor([gaussian.floor]))
    if type(categorical) is CategoricalLatent:
        weights.append(weights[0].new_tensor([categorical.uniform / categorical.classes]))
    return found


def recurrence(module: Any, weights: list[Tensor]) -> str:
    """Collect a recurrence's weights and return its name, "" for none."""
    kind = RECURRENCES[known(module, *RECURRENCES)]
    if not kind:
        return kind
    cell = module.cell
    known(cell, *(f"torch.nn.modules.rnn.{name}Cell" for name in ("RNN", "GRU", "LSTM")))
    require(getattr(cell, "nonlinearity", "tanh") == "tanh", "they know no RNNCell but that of tanh")
    weights += [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    weights.append(module.keep if kind == "MTRNN" else cell.bias_hh.new_zeros(cell.hidden_size))
    return kind
