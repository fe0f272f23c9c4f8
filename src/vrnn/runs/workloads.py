"""What `vrnn benchmark` times, and the candidates: training steps and generation of several sizes.

- reference: A VRNN as most public code is written: all six networks are called at each step.
- operators: `engine=reference`: torch operators, but only what depends on the previous step is in the loop over time. When
  generating it is the same as `reference`. Particles that are resampled (the bound FIVO) are within the loop as a whole.
- nn.GRU: Forward and backward pass of the recurrence alone, without a VAE.
- native: `engine=native`: compiled kernels.

A training step is forward, loss, backward and Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from vrnn.model import VRNN
from vrnn.model.inference import Inference
from vrnn.model.particles import infer_particles
from vrnn.networks import GRU, LSTM, MTRNN, Coordinates, Elman
from vrnn.objective import FIVO, BernoulliLikelihood, LinearW, WSchedule
from vrnn.objective.latents import stacked
from vrnn.objective.loss import elbo_loss, particle_loss
from vrnn.training.optimizer import flat_optimizer

RECURRENCES = {"gru": GRU, "lstm": LSTM, "elman": Elman, "mtrnn": MTRNN}
BLOG = {"z_dim": 10, "h_dim": 60, "phi_x": [10], "phi_z": [16], "prior": [30], "encoder": [30], "decoder": [40]}
LARGE = {"z_dim": 32, "h_dim": 256, "phi_x": [64], "phi_z": [64], "prior": [128], "encoder": [128], "decoder": [128]}
ROWS = {
    "x_dim": 28,
    "z_dim": 16,
    "h_dim": 100,
    **{name: [64] for name in ("phi_x", "phi_z", "prior", "encoder", "decoder")},
    "coordinates": Coordinates("position", relative_to="nothing"),
    "likelihood": BernoulliLikelihood(),
}
CHORALES = {**ROWS, "x_dim": 88, "z_dim": 32, "h_dim": 48, "activation": "silu"}  # as experiment=jsb


class Workload(NamedTuple):
    """What is timed.

    Attributes:
        steps: T.
        batch: B.
        sizes: Arguments of `VRNN`.
        recurrence: A key of RECURRENCES.
        generate: Whether traces are generated. False: a training step.
        particles: K of the bound FIVO; 0: the ELBO.
    """

    steps: int
    batch: int
    sizes: dict[str, Any]
    recurrence: str = "gru"
    generate: bool = False
    particles: int = 0


WORKLOADS = {
    "W1": Workload(1000, 1, {**BLOG, "std": "sigmoid"}),
    "W2": Workload(250, 32, {**BLOG, "std": "sigmoid"}),
    "W3": Workload(200, 64, LARGE),
    "W4": Workload(28, 128, ROWS),  # rows of binary 28 x 28 images
    "G1_B1": Workload(1000, 1, BLOG, generate=True),
    "G1_B64": Workload(1000, 64, BLOG, generate=True),
    **{f"F{K}": Workload(60, 4, CHORALES, particles=K) for K in (4, 16, 64, 128)},
}


def task(workload: Workload, candidate: str) -> Callable[[], object]:
    """Return a function that makes one training step, or one generation.

    Args:
        workload: What is timed.
        candidate: "reference", "operators", "nn.GRU" or "native".
    """
    torch.manual_seed(0)
    w = workload
    vrnn = VRNN(**w.sizes, recurrence=RECURRENCES[w.recurrence])
    if candidate == "nn.GRU":
        gru = nn.GRU(vrnn.recurrence.in_dim, vrnn.h_dim)
        series = torch.randn(w.steps, w.batch, vrnn.recurrence.in_dim, requires_grad=True)
        return lambda: gru(series)[0].sum().backward()
    vrnn.engine = "native" if candidate == "native" else "reference"
    if w.generate:
        return lambda: vrnn.generate(w.batch, w.steps)
    x = 0.1 * torch.randn(w.steps, w.batch, vrnn.x_dim).cumsum(0)
    if isinstance(vrnn.likelihood, BernoulliLikelihood):
        x = (x > 0).to(x)
    if w.particles:
        return training_step(vrnn, lambda schedule: filtering_loss(vrnn, x, FIVO(w.particles), schedule))
    if candidate != "reference":
        return training_step(vrnn, lambda schedule: loss_of(vrnn, vrnn.infer(x), x, schedule))
    check_plain_loop(vrnn, x[:3])
    return training_step(vrnn, lambda schedule: loss_of(vrnn, plain_loop(vrnn, x), x, schedule))


class PlainRun(NamedTuple):
    """The parts of an `Inference` that the loss needs."""

    q: tuple[torch.Tensor, ...]
    p: tuple[torch.Tensor, ...]
    decoder: tuple[torch.Tensor, ...]


def plain_loop(vrnn: VRNN, x: torch.Tensor) -> PlainRun:
    """Return the result of vrnn.infer for x (T, B, x_dim), all six networks called at each step, as in most public code."""
    state = vrnn.initial_state(x.shape[1])
    memory, (last, previous2) = state.memory, state.history(x)
    dists: list[list[Any]] = [[], []]
    raws = []
    for features, noise in zip(
        vrnn.coordinates.features(x, last), vrnn.latent.noise(*x.shape[:2], like=x), strict=True
    ):
        h = vrnn.recurrence.output(memory)
        phi_x = vrnn.phi_x(features)
        q, p = vrnn.encoder(torch.cat([phi_x, h], dim=-1)), vrnn.prior(h)
        phi_z = vrnn.phi_z(vrnn.latent.sample(q, noise))
        raws.append(vrnn.decoder(torch.cat([phi_z, h], dim=-1)))
        memory = vrnn.recurrence(torch.cat([phi_x, phi_z], dim=-1), memory)
        for values, value in zip(dists, (q, p), strict=True):
            values.append(value)
    decoder = vrnn.likelihood.from_raw(
        torch.stack(raws), vrnn.coordinates.mean_offset(last, previous2), vrnn.coordinates.scale
    )
    return PlainRun(stacked(dists[0]), stacked(dists[1]), decoder)


def check_plain_loop(vrnn: VRNN, x: torch.Tensor) -> None:
    """Check that the plain loop gives the results of vrnn.infer from the same noise.

    Args:
        vrnn: The model.
        x: (T, B, x_dim).

    Raises:
        AssertionError: They differ.
    """
    runs = []
    both: list[Callable[[torch.Tensor], PlainRun | Inference]] = [vrnn.infer, lambda x: plain_loop(vrnn, x)]
    for infer in both:
        torch.manual_seed(0)
        run = infer(x)
        runs.append([*run.q, *run.p, *run.decoder])
    torch.testing.assert_close(*runs)


def loss_of(vrnn: VRNN, run: PlainRun | Inference, x: torch.Tensor, schedule: WSchedule) -> torch.Tensor:
    """Return the loss of an inference along x (T, B, x_dim)."""
    return elbo_loss(vrnn.likelihood.distortion(run.decoder, x), run.q, run.p, vrnn.latent, schedule).loss


def filtering_loss(vrnn: VRNN, x: torch.Tensor, bound: FIVO, schedule: WSchedule) -> torch.Tensor:
    """Return the loss of K resampled particles along x (T, B, x_dim)."""
    result = infer_particles(vrnn, x, bound, keep=lambda run, log_x: (run, log_x.detach()))
    ((run, log_x),) = result.outputs
    steps = torch.tensor(x.shape[:2].numel())
    return particle_loss(result.bound, steps, -log_x, run.q, run.p, vrnn.latent, schedule).loss


def training_step(vrnn: VRNN, loss: Callable[[WSchedule], torch.Tensor]) -> Callable[[], object]:
    """Return a function that makes one training step: forward, loss, backward, Adam.

    Args:
        vrnn: The model.
        loss: Makes an inference and returns its loss.
    """
    schedule, optimizer = LinearW(), flat_optimizer(torch.optim.Adam, vrnn.parameters(), lr=1e-3)

    def step() -> None:
        value = loss(schedule)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return step
