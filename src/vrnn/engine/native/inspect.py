"""Which structure does this VRNN have, and do the kernels support it?

Only modules of exactly the supported classes and without hooks are accepted: any other may compute something else.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from vrnn.engine.interface import UnsupportedError
from vrnn.engine.native.builder import ClassDraw, LatentSpec, Layers
from vrnn.engine.native.cells import ELMAN_CELL, GRU_CELL, LSTM_CELL, MTRNN_CELL, CellSpec
from vrnn.engine.native.emission import LAST_POINT, NOTHING, VELOCITY, EmissionSpec
from vrnn.engine.native.gaussian import SIGMOID, SOFTPLUS
from vrnn.engine.native.gemm import lanes
from vrnn.engine.native.layers import ELU, RELU, SILU, TANH
from vrnn.engine.native.layout import Structure
from vrnn.networks.coordinates import Coordinates
from vrnn.networks.mlp import MLP, LatentNetwork, StandardPrior
from vrnn.networks.posterior import FilteringPosterior, RecurrentPosterior
from vrnn.networks.recurrence import GRU, LSTM, MTRNN, Elman, Markov, NoRecurrence
from vrnn.networks.six_networks import SixNetworks
from vrnn.objective.latents import CategoricalLatent, GaussianCategoricalLatent, GaussianLatent, NoLatent
from vrnn.objective.likelihoods import (
    BernoulliLikelihood,
    BivariateLikelihood,
    FixedGaussianLikelihood,
    GaussianLikelihood,
    GaussianMixtureLikelihood,
    MSELikelihood,
    MSEMeanLikelihood,
    PenLikelihood,
    SharedGaussianLikelihood,
)
from vrnn.objective.likelihoods.strokes import MAX_CORRELATION

Weights = dict[str, Tensor]  # by name, in the order in which the layout takes them

ACTIVATIONS = {nn.ReLU: RELU, nn.Tanh: TANH, nn.ELU: ELU, nn.SiLU: SILU}
SQUASHES = {"softplus": SOFTPLUS, "sigmoid": SIGMOID}
WITH_ONE_SIGMA = (FixedGaussianLikelihood, SharedGaussianLikelihood, MSEMeanLikelihood)
CORRELATED = (BivariateLikelihood, PenLikelihood)
INDEPENDENT = (BernoulliLikelihood, GaussianLikelihood, MSELikelihood, GaussianMixtureLikelihood)
LIKELIHOODS = INDEPENDENT + WITH_ONE_SIGMA + CORRELATED
OFFSETS = {"nothing": NOTHING, "last_point": LAST_POINT, "velocity": VELOCITY}
CELLS: dict[type[nn.Module], CellSpec | None] = {
    Elman: ELMAN_CELL,
    Markov: ELMAN_CELL,
    GRU: GRU_CELL,
    LSTM: LSTM_CELL,
    MTRNN: MTRNN_CELL,
    NoRecurrence: None,
}
LATENTS = (GaussianLatent, CategoricalLatent, NoLatent)


def inspect_model(networks: SixNetworks) -> tuple[Structure, Weights]:
    """Return a VRNN's structure, and its weights by name in the order in which `layout.layout` takes them.

    Raises:
        UnsupportedError: The kernels do not support one of its parts.
    """
    check_networks(networks)
    check_type(networks.decoder, nn.Sequential)
    hidden, outputs = networks.decoder
    weights: Weights = {}
    latent = latent_spec(networks.latent)
    parts: dict[str, Any] = {"latent": latent, "phi_x": layers("phi_x", networks.phi_x, weights)}
    first = next(iter(weights.values()))
    if latent.draw != "inverse_cdf":
        weights["latent.gumbel"] = gumbel_constants(networks.latent, like=first)
    parts |= {
        "phi_z": layers("phi_z", networks.phi_z, weights) if latent.z_dim else (),
        "encoder": latent_network("encoder", networks.encoder, networks.latent, weights),
        "prior": latent_network("prior", networks.prior, networks.latent, weights),
    }
    posterior = networks.posterior
    check_type(posterior, FilteringPosterior, RecurrentPosterior)
    residual = posterior.residual and bool(parts["prior"])
    if residual:
        weights["posterior.identity"] = torch.eye(latent.gaussian).to(first)
    parts["decoder"] = layers("decoder.0", hidden, weights)
    linear("decoder.1", outputs, weights)
    parts["cell"] = recurrence(networks.recurrence, weights)
    require_supported(parts["encoder"] or not latent.z_dim, "the encoder has no parameters")
    check_kinds(weights)
    structure = Structure(
        lane=lanes(first.itemsize),
        n_features=networks.coordinates.n_features(networks.x_dim),
        c_dim=networks.condition.dim,
        a_dim=posterior.dim,
        h_dim=networks.h_dim,
        n_outputs=networks.likelihood.n_outputs(networks.x_dim),
        x_to_h=networks.x_to_h,
        h_to_x=networks.h_to_x,
        h_to_q=posterior.sees_h,
        residual=residual,
        **parts,
    )
    return structure, weights


def check_kinds(weights: Weights) -> None:
    """Refuse weights that are not all on the CPU and of one supported precision."""
    first, kinds = next(iter(weights.values())), {(weight.dtype, weight.device) for weight in weights.values()}
    require_supported(first.device.type == "cpu", f"the weights must be on the CPU, but are on {first.device}")
    require_supported(len(kinds) == 1, "all weights must be on one device and of one precision")
    require_supported(
        first.dtype in (torch.float32, torch.float64), f"the weights must be float32 or float64, but are {first.dtype}"
    )


def emission_spec(networks: SixNetworks, sample: bool) -> EmissionSpec:
    """Return how the VRNN draws its points, and how likely they are.

    Args:
        networks: The six networks.
        sample: Whether a point is drawn from the decoder, or its mean is taken.

    Raises:
        UnsupportedError: The kernels do not support its likelihood or its coordinates.
    """
    coordinates, likelihood = networks.coordinates, cast(Any, networks.likelihood)
    check_type(coordinates, Coordinates)
    kind, x_dim = type(likelihood), networks.x_dim
    require_supported(kind in LIKELIHOODS, f"the likelihood {class_name(kind)} is not among the supported ones")
    binary = {BernoulliLikelihood: x_dim, PenLikelihood: 1}.get(kind, 0)
    likelihood = likelihood.move if kind is PenLikelihood else likelihood
    if kind is BernoulliLikelihood:
        squash, floor, width = SOFTPLUS, 0.0, 0.0
    elif kind in WITH_ONE_SIGMA:
        squash, floor, width = SOFTPLUS, float(likelihood.sigma().detach()), 0.0
    elif likelihood.ceiling is None:
        squash, floor, width = SOFTPLUS, likelihood.floor, coordinates.scale
    else:
        squash, floor, width = SIGMOID, likelihood.floor, likelihood.ceiling - likelihood.floor
    return EmissionSpec(
        x_dim=x_dim,
        binary=binary,
        components=getattr(likelihood, "components", 0),
        squash=squash,
        offset=OFFSETS[coordinates.relative_to],
        differences=int(coordinates.inputs == "position_difference"),
        sample=int(sample),
        scale=coordinates.scale,
        std_floor=floor,
        std_width=width,
        difference_gain=coordinates.difference_gain,
        correlated=MAX_CORRELATION if kind in CORRELATED else 0.0,
    )


def require_supported(condition: object, reason: str) -> None:
    """Raise UnsupportedError with the reason unless the condition holds."""
    if not condition:
        raise UnsupportedError(reason)


def class_name(kind: type) -> str:
    """Return a class's full name."""
    return f"{kind.__module__}.{kind.__qualname__}"


def check_networks(networks: SixNetworks) -> None:
    """Refuse a subclass that overrides a method of SixNetworks, and hooks."""
    own = {name: method for name, method in vars(SixNetworks).items() if not name.startswith("__")}
    overridden = [name for name, method in own.items() if getattr(type(networks), name) is not method]
    require_supported(not overridden, f"{type(networks).__name__} overrides {', '.join(overridden)}")
    check_hooks(networks)


def check_hooks(module: nn.Module) -> None:
    """Refuse a module with hooks, which the kernels would not call."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    require_supported(not hooks, f"a {type(module).__name__} has hooks, which the kernels would not call")


def check_type(module: nn.Module, *expected: type[nn.Module]) -> type[nn.Module]:
    """Return the module's class if it is exactly one of the expected ones, and the module has no hooks."""
    kind = type(module)
    require_supported(kind in expected, f"the class {class_name(kind)} is not among the supported ones")
    check_hooks(module)
    return kind


def linear(name: str, module: nn.Module, weights: Weights) -> int:
    """Collect a linear layer's weights and return its width."""
    check_type(module, nn.Linear)
    weight, bias = module._parameters["weight"], module._parameters["bias"]
    if weight is None or bias is None:
        raise UnsupportedError(f"{name} has no bias")
    weights[f"{name}.weight"], weights[f"{name}.bias"] = weight, bias
    return len(bias)


def layers(name: str, mlp: Any, weights: Weights) -> Layers:
    """Collect an MLP's weights and return the width and activation of each layer."""
    check_type(mlp, MLP)
    modules, found = list(mlp), []
    for i, (dense, activation) in enumerate(zip(modules[::2], modules[1::2], strict=True)):
        kind = ACTIVATIONS[check_type(activation, *ACTIVATIONS)]
        require_supported(kind != ELU or activation.alpha == 1.0, "an ELU has another alpha than 1")
        found.append((linear(f"{name}.{2 * i}", dense, weights), kind))
    return tuple(found)


def latent_spec(latent: Any) -> LatentSpec:
    """Return what z consists of."""
    parts: list[Any] = [latent.gaussian, latent.categorical] if type(latent) is GaussianCategoricalLatent else [latent]
    spec = LatentSpec()
    for part in parts:
        kind = check_type(part, *LATENTS)
        if kind is GaussianLatent:
            spec = spec._replace(gaussian=part.z_dim, squash=SQUASHES[part.std])
        if kind is CategoricalLatent:
            gumbel: ClassDraw = "gumbel_softmax" if part.training else "gumbel_max"
            draw = gumbel if part.estimator == "gumbel_softmax" else "inverse_cdf"
            spec = spec._replace(variables=part.variables, classes=part.classes, draw=draw)
    return spec


def gumbel_constants(latent: Any, like: Tensor) -> Tensor:
    """Return the constants of Gumbel scores: 1 / temperature, the smallest normal number, and 0 (see `layout`)."""
    temperature = getattr(latent, "categorical", latent).temperature
    return like.new_tensor([1 / temperature, torch.finfo(like.dtype).tiny, 0.0])


def latent_network(name: str, network: Any, latent: Any, weights: Weights) -> Layers:
    """Collect the weights of a network that ends in a distribution over z, and that distribution's constants."""
    kind = check_type(network, LatentNetwork, StandardPrior)
    require_supported(network.latent is latent, f"{name} has another latent than the VRNN's")
    like = next(iter(weights.values()))
    if kind is StandardPrior:
        dist = latent.standard(like.new_zeros(1, 0))
        probs = [part.exp() for part in dist[-1:] if part.dim() > 2]
        if latent.z_dim:
            weights |= {f"{name}.standard.{i}": part.reshape(-1) for i, part in enumerate([*dist, *probs])}
        return ()
    found = layers(f"{name}.hidden", network.hidden, weights)
    linear(f"{name}.head", network.head, weights)
    gaussian, categorical = getattr(latent, "gaussian", latent), getattr(latent, "categorical", latent)
    if type(gaussian) is GaussianLatent:
        weights[f"{name}.std_floor"] = like.new_tensor([gaussian.floor])
    if type(categorical) is CategoricalLatent:
        weights[f"{name}.least_probability"] = like.new_tensor([categorical.uniform / categorical.classes])
    return found


def recurrence(module: Any, weights: Weights) -> CellSpec | None:
    """Collect a recurrence's weights and return its cell, None without a recurrence."""
    spec = CELLS[check_type(module, *CELLS)]
    if spec is None:
        return None
    if type(module) is Markov:
        return markov(module, weights)
    cell = module.cell
    check_type(cell, nn.RNNCell, nn.GRUCell, nn.LSTMCell)
    require_supported(getattr(cell, "nonlinearity", "tanh") == "tanh", "an RNNCell has another activation than tanh")
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        weights[f"recurrence.cell.{name}"] = getattr(cell, name)
    weights["recurrence.keep"] = module.keep if spec is MTRNN_CELL else cell.bias_hh.new_zeros(cell.hidden_size)
    return spec


def markov(module: Markov, weights: Weights) -> CellSpec:
    """Collect the weights of an Elman cell that sees nothing of its state."""
    layer = module.layer
    check_type(layer, nn.Linear)
    n = module.h_dim
    weights["recurrence.weight_ih"] = layer.weight
    weights["recurrence.weight_hh"] = layer.weight.new_zeros(n, n)
    weights["recurrence.bias_ih"] = layer.bias
    weights["recurrence.bias_hh"], weights["recurrence.keep"] = (layer.weight.new_zeros(n) for _ in range(2))
    return ELMAN_CELL
