"""An evaluation in small, before the first training step: what cannot be evaluated is not trained."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
import torch
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor

from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.errors import ConfigError
from vrnn.model.vrnn import VRNN
from vrnn.patterns import Pattern, Trace
from vrnn.runs.build import build_module
from vrnn.runs.evaluate import Judge, evaluate
from vrnn.runs.pattern import Settings

# Not equally many, so that a result whose axes are exchanged or too many has the wrong shape.
TRACES, STEPS = 3, 2


def try_evaluation(settings: Settings, pattern: Pattern, data: TraceDataModule, judge: Judge) -> None:
    """Evaluate an untrained model of a run on two steps of three traces. The run's own objects and generators stay as they are.

    Args:
        settings: The run's.
        pattern: What it learns.
        data: Holds the test traces.
        judge: As `prepare_evaluation` returned it.

    Raises:
        ConfigError: The evaluation fails: a class of the user's lacks a method, or returns what cannot be scored or plotted.
    """
    options = {**settings["evaluation"], "traces": TRACES, "steps": STEPS, "thorough": False}
    options["particles"] = options["particles"] and TRACES
    with isolate_rng(include_cuda=False):
        module = build_module(settings, pattern.units).eval()
        try:
            test = [_beginning(trace) for trace in islice(cycle(data.traces("test")), TRACES)]
            for name, returned, expected in _shapes(module.vrnn, test):
                if tuple(returned.shape) != expected:
                    raise ConfigError(f"{name} must return the shape {expected}, but returns {tuple(returned.shape)}.")
            evaluate(module.vrnn, module.w_schedule, pattern, lambda split: test, judge, options, settings["seed"])
        except Exception as error:
            raise ConfigError(
                f"The evaluation must work before the training begins, but fails on {STEPS} steps of {TRACES} traces: "
                f"{_in_words(error, settings['allow'])}"
            ) from error


def _beginning(trace: Trace) -> Trace:
    """Return a trace from its first observed step to its second."""
    first, *others = np.flatnonzero(trace.observed)[:STEPS]
    kept = slice(first, max(others, default=first) + 1)
    return trace.cut(kept)


@torch.no_grad()
def _shapes(vrnn: VRNN, test: Sequence[Trace]) -> Iterator[tuple[str, Tensor, tuple[int, ...]]]:
    """Yield what the model's classes return for traces: the method, the tensor, and the shape that it must have."""
    traces = TraceSet(test)
    run = vrnn.infer(traces.x, mask=traces.mask, condition=traces.condition)
    likelihood, latent, (steps, n, x_dim) = vrnn.likelihood, vrnn.latent, run.x.shape
    yield _method(likelihood, "log_prob"), likelihood.log_prob(run.decoder, run.x), (steps, n)
    yield _method(likelihood, "moments"), likelihood.moments(run.decoder).mean, (steps, n, x_dim)
    yield _method(latent, "kl"), latent.kl(run.q, run.p), (steps, n, latent.groups)
    yield _method(likelihood, "sample"), vrnn.generate(n, steps, condition=traces.condition), (steps, n, x_dim)


def _method(owner: object, name: str) -> str:
    return f"{type(owner).__name__}.{name}"


def _in_words(error: Exception, allow: Sequence[str]) -> str:
    """Return on one line what went wrong, and where: in a class of the user's, if it passed through one."""
    if isinstance(error, ConfigError):
        return str(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    owner = frames[-1].f_locals.get("self")
    if isinstance(error, NotImplementedError) and owner is not None:
        return f"{type(owner).__name__} must have a method {frames[-1].f_code.co_name}, but has none: define it."
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    own = {*allow} - {"vrnn"}
    places = [
        f"{summary.filename}, line {summary.lineno}"
        for frame, summary in zip(frames, traceback.extract_tb(error.__traceback__), strict=True)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in own
    ]
    return f"{said} ({places[-1]})" if places else said
