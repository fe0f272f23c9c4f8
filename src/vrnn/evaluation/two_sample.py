"""Classifier two-sample tests (Lopez-Paz and Oquab 2017, arXiv 1610.06545): can generated laps be told from true ones?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vrnn.evaluation.laps import UNFINISHED, Lap, LapJudge
from vrnn.evaluation.scores import find_visits
from vrnn.patterns.cuts import resample

Array = NDArray[np.float64]
Stretch = tuple[float, float]  # from, to: times in steps with fractions

MOST = 4000  # laps of each kind: the standard error of an accuracy is then 0.008
EVERY = 4  # of the points of a lap's shape, those that the classifier sees
WIDTH, STEPS, LEARNING_RATE, WEIGHT_DECAY = 64, 200, 5e-3, 1e-2


def two_sample_scores(
    generated: Sequence[Array], true: Sequence[Array], judge: LapJudge, seed: int
) -> dict[str, float | None]:
    """Return how often a classifier tells generated laps and visits from true ones.

    A small network is trained on one half of the traces and tested on the other. It sees of each stretch the points of its
    shape, evenly spaced by arc length, and the logarithm of its duration, all scaled by their standard deviations.

    Args:
        generated: Traces, each (T, 2); their number is even or one is left out.
        true: As many of the same length, of the true process.
        judge: The judge.
        seed: Of the classifier's first weights.

    Returns:
        `two_sample_laps` and `two_sample_visits`: the share of the test half that is told right, with as many of each kind; 0.5
        says that nothing tells them apart, 1 that everything does. None with fewer than two stretches of a kind in a half.
        <key>_se: the binomial standard error.
    """
    scores: dict[str, float | None] = {}
    kinds: dict[str, Callable[[Array, LapJudge], list[Stretch]]] = {"laps": _laps, "visits": _visits}
    for kind, stretches in kinds.items():
        halves = []
        for half in (slice(0, None, 2), slice(1, None, 2)):
            of_kind = [_features(traces[half], judge, stretches) for traces in (generated, true)]
            halves.append([part[: min(map(len, of_kind))][:MOST] for part in of_kind])
        enough = min(len(part) for half in halves for part in half) > 1
        key = f"two_sample_{kind}"
        scores[key] = accuracy(halves[0], halves[1], seed) if enough else None
        count = 2 * len(halves[1][0])
        scores[f"{key}_se"] = float(np.sqrt(0.25 / count)) if enough else None
    return scores


def accuracy(train: Sequence[Array], test: Sequence[Array], seed: int) -> float:
    """Return the share of test samples that a classifier trained on others tells right.

    Args:
        train: Samples of the two kinds, (n, features) each.
        test: Others, as many of each kind.
        seed: Of the first weights.
    """
    mean, deviation = np.concatenate(train).mean(0), np.concatenate(train).std(0) + 1e-12

    def tensors(samples: Sequence[Array]) -> tuple[Tensor, Tensor]:
        x = np.clip((np.concatenate(samples) - mean) / deviation, -10.0, 10.0)
        kind = np.repeat([0.0, 1.0], [len(samples[0]), len(samples[1])])
        return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(kind, dtype=torch.float32)

    (x, kind), (test_x, test_kind) = tensors(train), tensors(test)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(x.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        network.append(nn.Linear(WIDTH, 1))
        optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for _ in range(STEPS):
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(network(x)[:, 0], kind).backward()
            optimizer.step()
    with torch.no_grad():
        told = (network(test_x)[:, 0] > 0.0).float()
    return float((told == test_kind).float().mean())


def lap_features(traces: Sequence[Array], judge: LapJudge) -> Array:
    """Return the points of each lap's shape and the logarithm of its duration, (n, features), of the laps that count."""
    return _features(traces, judge, _laps)


def _features(traces: Sequence[Array], judge: LapJudge, stretches: Callable[[Array, LapJudge], list[Stretch]]) -> Array:
    """Return shape and log duration of the stretches of traces, (n, features)."""
    found = [np.zeros((0, len(range(0, len(judge.templates[0]), EVERY)) * 2 + 1))]
    for trace in traces:
        finite = trace[: np.argmin(np.append(np.isfinite(trace).all(1), False))]
        for begin, end in stretches(trace, judge):
            if end <= len(finite) - 1:
                shape = resample(finite, begin, end)[::EVERY]
                found.append(np.append(shape.ravel(), np.log(end - begin))[None])
    return np.concatenate(found)


def _laps(trace: Array, judge: LapJudge) -> list[Stretch]:
    """Return the laps that count, invalid stretches included."""
    horizon = judge.lap_horizon(len(trace))
    return [(lap.start, lap.end) for lap in judge.judge(trace) if lap.piece != UNFINISHED and lap.start < horizon]


def _visits(trace: Array, judge: LapJudge) -> list[Stretch]:
    """Return the visits that count, up to the start of the next one or of an invalid stretch."""
    laps: list[Lap] = judge.judge(trace)
    visits = find_visits(laps, judge.automaton)
    others = [visit.start for visit in visits] + [lap.start for lap in laps if lap.piece < 0]
    begins = np.sort(np.array(others))
    horizon = judge.visit_horizon(len(trace))
    ends = [
        float(begins[np.searchsorted(begins, visit.start, side="right")]) for visit in visits if visit.start < horizon
    ]
    return [(visit.start, end) for visit, end in zip(visits, ends, strict=False)]
