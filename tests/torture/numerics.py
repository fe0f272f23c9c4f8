"""Numbers at the ends of their range: a run ends with finite scores, or says which number became too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.torture.outcome import Outcome, sample, try_each
from tests.torture.runs import in_child, train

CASES = {
    "a learning rate of 1e6": ["optim.learning_rate=1e6", "optim.clip=null"],
    "a learning rate of 1e-300": ["optim.learning_rate=1e-300"],
    "a clipping of 1e-30": ["optim.clip=1e-30"],
    "a floor of 1e-30": ["likelihood.floor=1e-30"],
    "a floor of 1e30": ["likelihood.floor=1e30"],
    "a denormal floor": ["likelihood.floor=1e-42"],
    "a floor of z of 1e-38": ["model.std_floor=1e-38"],
    "a floor of z of 1e30": ["model.std_floor=1e30"],
    "a weight of 1e30": ["w_schedule=constant", "w_schedule.w=1e30"],
    "a weight of 1e-300": ["w_schedule=constant", "w_schedule.w=1e-300"],
    "a rule of 1e30": ["w_schedule=adaptive", "w_schedule.alpha=1e30"],
    "a forecast of 1e30": ["forecast=points", "forecast.weight=1e30"],
    "a temperature of 1e-30": ["latent=categorical", "latent.estimator=gumbel_softmax", "latent.temperature=1e-30"],
    "timescales of 1e30": ["recurrence=mtrnn", "recurrence.taus=[1,1e30]"],
    "memories of 1e30": ["recurrence.chrono=1e30"],
    "noise of 1e30": ["+dataset.pen.white_noise=1e30"],
    "noise of 1e-300": ["+dataset.pen.white_noise=1e-300"],
    "double precision": ["trainer.precision=64-true", "optim.learning_rate=1e30", "optim.clip=null"],
    "particles of no weight": ["bound=fivo", "bound.particles=3", "likelihood.floor=1e-30"],
}
FILES = {
    "points of 1e99": 1e99,
    "points of 1e-300": 1e-300,
    "denormal points": 5e-320,
    "points of 1e38": 1e38,
}
REFUSED = ("ConfigError: ", "NonFiniteError: ")


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Train with each of the numbers."""
    work.mkdir()
    angle = np.linspace(0, 60, 400)
    cases = dict(CASES)
    for name, factor in FILES.items():
        path = work / f"{factor}.npy"
        np.save(path, factor * np.stack([np.cos(angle), np.sin(2 * angle)], axis=1))
        cases[name] = ["dataset=traces", f"dataset.files=[{path}]"]
    yield from try_each("numbers at the ends of their range", partial(try_numbers, work), sample(cases.items(), scale))


def try_numbers(work: Path, case: tuple[str, list[str]]) -> str:
    """Train with some settings; return what is wrong with how it ended."""
    name, overrides = case
    log = work / f"{name}.log"
    code = in_child(partial(train, work / name, overrides), log)
    said = log.read_text(errors="replace")
    if code == 1 and any(line.startswith(REFUSED) for line in said.splitlines()):
        return ""
    if code:
        return f"exit code {code}: {said[-400:]}"
    json.loads((work / name / "scores.json").read_text(), parse_constant=lambda text: 1 / 0)  # NaN is no JSON
    return ""
