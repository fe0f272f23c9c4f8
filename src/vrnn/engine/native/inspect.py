"""Can the kernels run this VRNN, and if so, of what structure is it?

Only modules of exactly the known classes, without hooks, are accepted: anything else may compute something else.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from vrnn.engine.interface import UnsupportedError
from vrnn.engine.native.emission import LAST_POINT, NOTHING, VELOCITY, Manner
from vrnn.engine.native.gemm import lanes
from vrnn.engine.native.layout import Drawn, Latent, Layers, Structure
from vrnn.engine.native.program import ELU, RELU, SIGMOID, SILU, SOFTPLUS, TANH
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.mlp import MLP, LatentNetwork, StandardPrior
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, NoRecurrence
from vrnn.networks.six_networks import SixNetworks
from vrnn.objective.latents import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent, NoLatent
from vrnn.objective.likelihoods import (
    FixedGaussianLikelihood,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    MSELikelihood,
    MSEMeanLikelihood,
    SharedGaussianLikelihood,
)

ACTIVATIONS = {nn.ReLU: RELU, nn.Tanh: TANH, nn.ELU: ELU, nn.SiLU: SILU}
SQUASHES = {"softplus": SOFTPLUS, "sigmoid": SIGMOID}
LIKELIHOODS = (GaussianLikelihood, MSELikelihood, GaussianMixtureLikelihood)
OF_ONE_SIGMA = (FixedGaussianLikelihood, SharedGaussianLikelihood, MSEMeanLikelihood)
ORIGINS = {"nothing": NOTHING, "last_point": LAST_POINT, "velocity": VELOCITY}
RECURRENCES: dict[type[nn.Module], str] = {Elman: "Elman", GRU: "GRU", LSTM: "LSTM", MTRNN: "MTRNN", NoRecurrence: ""}
LATENTS = (GaussianLatent, CategoricalLatent, NoLatent)


def inspect_model(networks: SixNetworks) -> tuple[Structure, list[Tensor]]:
    """Return a VRNN's structure and its weights in the order the plan takes them.

    Raises:
        UnsupportedError: the kernels do not know one of its parts.
    """
    check_networks(networks)
    check_type(networks.decoder, nn.Sequential)
    hidden, last = networks.decoder
    weights: list[Tensor] = []
    latent = kind_of_z(networks.latent)
    parts: dict[str, Any] = {"latent": latent, "phi_x": layers(networks.phi_x, weights)}
    if latent.draw != "probable":
        weights.append(gumbel_constants(networks.latent, like=weights[0]))
    parts |= {
        "phi_z": layers(networks.phi_z, weights) if latent.z_dim else (),
        "encoder": about_z(networks.encoder, networks.latent, weights),
        "prior": about_z(networks.prior, networks.latent, weights),
        "decoder": layers(hidden, weights),
        "outputs": linear(last, weights),
        "recurrence": recurrence(networks.recurrence, weights),
    }
    require_supported(parts["encoder"] or not latent.z_dim, "they need an encoder that learns")
    first = weights[0]
    kinds = {(weight.dtype, weight.device) for weight in weights}
    require_supported(first.device.type == "cpu", f"they run on the CPU, but the weights are on {first.device}")
    require_supported(len(kinds) == 1, "they need all weights in one place and precision")
    require_supported(
        first.dtype in (torch.float32, torch.float64), f"they know float32 and float64, not {first.dtype}"
    )
    return Structure(lane=lanes(first.itemsize), features=first.shape[1], h_dim=networks.h_dim, **parts), weights


def emission_spec(networks: SixNetworks, sample: bool) -> tuple[Manner, tuple[float, ...]]:
    """Return how the VRNN draws its points, and: the frame's scale, the deviations' floor and width, the frame's gain.

    A width of 0 means that there are no raw deviations: all are the floor.

    Raises:
        UnsupportedError: the kernels do not know its likelihood or its frame.
    """
    frame, likelihood = networks.coordinates, cast(Any, networks.likelihood)
    check_type(frame, Coordinates)
    require_supported(
        type(likelihood) in LIKELIHOODS + OF_ONE_SIGMA, f"they know no likelihood {name(type(likelihood))}"
    )
    if type(likelihood) in OF_ONE_SIGMA:
        squash, floor, width = SOFTPLUS, float(likelihood.sigma().detach()), 0.0
    elif likelihood.ceiling is None:
        squash, floor, width = SOFTPLUS, likelihood.floor, frame.scale
    else:
        squash, floor, width = SIGMOID, likelihood.floor, likelihood.ceiling - likelihood.floor
    kinds = Manner(
        x_dim=networks.x_dim,
        components=getattr(likelihood, "components", 0),
        squash=squash,
        origin=ORIGINS[frame.relative_to],
        differences=int(frame.inputs == "position_difference"),
        sample=int(sample),
    )
    return kinds, (frame.scale, floor, width, frame.difference_gain)


def require_supported(condition: object, what: str) -> None:
    """Raise UnsupportedError unless the condition holds."""
    if not condition:
        raise UnsupportedError(what)


def name(kind: type) -> str:
    """Where a class is defined: this room lies below the networks and cannot import their classes."""
    return f"{kind.__module__}.{kind.__qualname__}"


def check_networks(networks: SixNetworks) -> None:
    """Accept the six networks, also a subclass of them, unless it computes something else with them."""
    own = {name: method for name, method in vars(SixNetworks).items() if not name.startswith("__")}
    overridden = [name for name, method in own.items() if getattr(type(networks), name) is not method]
    require_supported(not overridden, f"{type(networks).__name__} overrides {', '.join(overridden)}")
    check_hooks(networks)


def check_hooks(module: nn.Module) -> None:
    """Refuse a module with hooks, which the kernels would not call."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    require_supported(not hooks, f"the {type(module).__name__} has hooks, which they would not call")


def check_type(module: nn.Module, *expected: type[nn.Module]) -> type[nn.Module]:
    """Return the module's class if it is exactly one of the expected ones, and without hooks."""
    require_supported(type(module) in expected, f"they know no {name(type(module))}")
    check_hooks(module)
    return type(module)


def linear(module: nn.Module, weights: list[Tensor]) -> int:
    """Collect a linear layer's weights and return its width."""
    check_type(module, nn.Linear)
    weights += module._parameters.values()  # type: ignore[arg-type]
    require_supported(weights[-1] is not None, "they know no layer without a bias")
    return len(weights[-1])


def layers(mlp: Any, weights: list[Tensor]) -> Layers:
    """Collect an MLP's weights and return the width and activation of each layer."""
    check_type(mlp, MLP)
    modules, found = list(mlp), []
    for dense, activation in zip(modules[::2], modules[1::2], strict=True):
        require_supported(type(activation) in ACTIVATIONS, f"they know no activation {name(type(activation))}")
        kind = ACTIVATIONS[type(activation)]
        check_type(activation, type(activation))
        require_supported(kind != ELU or activation.alpha == 1.0, "they know no ELU but that of alpha = 1")
        found.append((linear(dense, weights), kind))
    return tuple(found)


def kind_of_z(latent: Any) -> Latent:
    """Return of what z is made."""
    parts = [latent.gaussian, latent.categorical] if type(latent) is GaussianCategoricalLatent else [latent]
    z = Latent()
    for part in parts:
        require_supported(type(part) in LATENTS, f"they know no latent {name(type(part))}")
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
    kind = check_type(network, LatentNetwork, StandardPrior)
    require_supported(network.latent is latent, "they know no networks about another z than the VRNN's")
    if kind is StandardPrior:
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
    kind = RECURRENCES[check_type(module, *RECURRENCES)]
    if not kind:
        return kind
    cell = module.cell
    check_type(cell, nn.RNNCell, nn.GRUCell, nn.LSTMCell)
    require_supported(getattr(cell, "nonlinearity", "tanh") == "tanh", "they know no RNNCell but that of tanh")
    weights += [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    weights.append(module.keep if kind == "MTRNN" else cell.bias_hh.new_zeros(cell.hidden_size))
    return kind
