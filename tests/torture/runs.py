"""Small runs in processes that fork from one which has imported everything, and whether two runs are the same."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import ROOT
from vrnn.runs.run import run
from vrnn.runs.schema import register

SMALLEST = [
    "model=tiny",
    "data={traces: 8, steps: 64, window: 16, batch_size: 4, val_traces: 2, test_traces: 2, eval_steps: 64}",
    "training={steps: 30, log_every: 5, val_every: 12, checkpoint_every: 5, figure_every: 24}",
    "optim.warmup_steps=5",
    "evaluation={traces: 2, steps: 128}",
]
# Every kind of state that a checkpoint has to carry.
CONFIGURATIONS = {
    "the defaults": [],
    "a weight that moves": ["w_schedule=adaptive"],
    "a controller with a memory": ["w_schedule=control_vae"],
    "a categorical z": ["latent=categorical"],
    "an LSTM": ["recurrence=lstm"],
    "particles": ["bound=fivo", "bound.particles=3"],
    "gaps in a mixture": ["likelihood=gaussian_mixture", "frame=position", "data.gaps.share=0.2"],
    "MTRNN, the reference engine": ["recurrence=mtrnn", "engine=reference"],
    "AdamW on a plateau": ["optimizer=adamw", "lr_schedule=plateau", "lr_schedule.patience=0"],
    "a forecast and a wake phase": ["latent=categorical", "forecast=points", "w_schedule=wake"],
}


def train(directory: Path, overrides: list[str]) -> None:
    """Train a small run, or continue it."""
    run(configuration(overrides), directory, progress_bar=False)


def configuration(overrides: list[str]) -> DictConfig:
    """Compose a small run."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", overrides=[*SMALLEST, *overrides])


def in_child(work: Callable[[], object], output: Path, kill_after: float | None = None) -> int:
    """Do something in a forked process.

    Args:
        work: What to do.
        output: Where its stdout and stderr are appended to.
        kill_after: Seconds after which it is killed; None: it is not.

    Returns:
        0, 1 after an exception, or minus the number of the signal that ended it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if not (child := os.fork()):
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = 1
        try:
            work()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def limit_seconds(seconds: int) -> None:
    """End this process when it has computed for so many more seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def fingerprint(directory: Path) -> dict[str, str]:
    """Return digests of all that a run has learned and published: equal runs have equal ones."""
    found = {"scores": hashlib.sha256((directory / "scores.json").read_bytes()).hexdigest()}
    for name in ("last", "best"):
        checkpoint = torch.load(directory / "checkpoints" / f"{name}.ckpt", weights_only=True)
        parts = ("state_dict", "optimizer_states", "lr_schedulers", "carried_state", "global_step")
        found[name] = digest([checkpoint[part] for part in parts])
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it says what a resume purges
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    tags = sorted(tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/"))
    found["events"] = repr([(tag, event.step, event.value) for tag in tags for event in events.Scalars(tag)])
    return found


def digest(tree: object) -> str:
    """Return a digest of nested containers of tensors."""
    if isinstance(tree, torch.Tensor):
        return hashlib.sha256(tree.detach().contiguous().numpy().tobytes()).hexdigest()
    if isinstance(tree, dict):
        return digest([[key, digest(value)] for key, value in tree.items()])
    if isinstance(tree, list | tuple):
        return hashlib.sha256("".join(digest(part) for part in tree).encode()).hexdigest()
    return hashlib.sha256(repr(tree).encode()).hexdigest()
