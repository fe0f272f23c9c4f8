"""Mutated settings of runs: each is refused in words or builds a run, and nothing else is imported, executed or written."""

from __future__ import annotations

import copy
import logging
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.torture.outcome import Outcome, try_each
from tests.torture.runs import CONFIGURATIONS, configuration, in_child
from vrnn.errors import ConfigError, DamagedError
from vrnn.runs.build import build_run
from vrnn.runs.config import check
from vrnn.runs.stored import stored_settings

CASES = 2_000
BATCHES = 4
LONGEST = 10  # seconds of computing for one case
MOST = 5_000_000  # weights of a model that is built here: more are allowed, and only take time
NUMBERS = (0, -1, 1, 2, 3, 17, 10**4, 2**31, 2**63, 10**40, 0.5, -0.25, 1e-320, 1e308, float("inf"), float("nan"))
TEXTS = (
    *(
        "",
        " ",
        "null",
        "∞",
        "naïve\u202e",
        "\U0001f5a4",
        "a" * 5000,
        "../../etc",
        "-1",
        "1e999",
        "true",
        "%s",
        "\x1b[2J",
    ),
    *("${seed}", "${oc.env:HOME}", "${oc.create:{_target_: os.system, command: true}}", "a${b}c", "\\${seed}"),
)
# None of these is imported by a run, but those of torch and of vrnn itself.
TARGETS = (
    *("antigravity.geohash", "os.system", "this.d", "turtle.Turtle", "idlelib.idle.main", "unittest.TestProgram"),
    *("builtins.eval", "pathlib.Path", "subprocess.Popen", "shutil.rmtree", "logging.FileHandler", "pickle.Unpickler"),
    *("torch.load", "torch.nn.Linear", "torch.utils.tensorboard.SummaryWriter", "numpy.load", "numpy.memmap"),
    *("vrnn.networks.torch.load", "vrnn.files.write_text_atomically", "vrnn.runs.sweep.SweepStatus", "vrnn.VRNN"),
    *("vrnn.patterns.Pattern", "vrnn.patterns.Pen.draw", "vrnn.objective.Weighted", "vrnn.networks.GRU.__init__"),
    *("vrnn", "vrnn.", ".vrnn", "vrnn..networks", "vrnn.networks.gru", "vrnn.patterns.files.svg.os.system", "vrnn\n.a"),
)
FOREIGN = ("antigravity", "this", "turtle", "idlelib", "tkinter")
# What the interpreter is told before it does it.
DEEDS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "os.remove")


def torture(scale: float, work: Path) -> Iterator[Outcome]:
    """Build runs of mutated settings."""
    work.mkdir()
    cases = max(1, round(CASES * scale / BATCHES))
    attempts = try_each("fuzzed settings", partial(try_batch, work, cases), range(BATCHES))
    yield from (outcome._replace(cases=cases) for outcome in attempts)


def try_batch(work: Path, cases: int, number: int) -> str:
    """Try a number of cases in a process of its own; return what the first fault was."""
    folder = work / str(number)
    folder.mkdir()
    log = folder / "log"
    code = in_child(lambda: build_all(folder, cases, number), log)
    return f"exit code {code}: {log.read_text(errors='replace')[-500:]}" if code else ""


def build_all(folder: Path, cases: int, seed: int, begun_with: Sequence[str] = tuple(CONFIGURATIONS)) -> int:
    """Build runs of mutated settings; return how many were valid.

    Args:
        folder: Where config.yaml is written.
        cases: How many.
        seed: Of the mutations.
        begun_with: Names of the configurations that are mutated.

    Raises:
        AssertionError: One was neither refused by an error of this library nor built, or did something else.
    """
    logging.disable()
    sound = [stored(CONFIGURATIONS[name]) for name in begun_with]
    for settings in sound:
        build(folder, settings)  # imports all that runs need
    valid, before = 0, {*sys.modules}
    watch = Watch()
    for case in range(cases):
        rng = random.Random(f"settings {seed} {case}")
        settings = mutated(rng, sound)
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)  # its default action ends the process
        try:
            valid += build(folder, settings, watch)
        except Exception as error:
            raise AssertionError(f"case {case} of seed {seed}: {type(error).__name__}: {error}") from error
        assert not watch.deeds, f"case {case} of seed {seed}: {watch.deeds}"
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    foreign = [name for name in {*sys.modules} - before if name.partition(".")[0] in FOREIGN]
    assert not foreign, f"imported: {foreign}"
    return valid


class Watch:
    """Notes what this process does while it is on. A hook cannot be taken away again."""

    def __init__(self) -> None:
        self.on, self.deeds = False, list[str]()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and (event in DEEDS or (event == "open" and str(arguments[1])[:1] in "wax")):
            self.deeds.append(f"{event}{arguments}")


def build(folder: Path, settings: Any, watch: Watch | None = None) -> bool:
    """Store settings, read them as a run's and build the run; return whether they are a run's."""
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    with suppress(ConfigError, DamagedError):
        if watch:
            watch.on = True
        try:
            read = stored_settings(folder)
            if read["model"]["h_dim"] ** 2 > MOST:
                return True
            build_run(read)
        finally:
            if watch:
                watch.on = False
        return True
    return False


def stored(overrides: list[str]) -> dict[str, Any]:
    """Return the settings of a small run as its config.yaml holds them."""
    settings = check(configuration(overrides))
    return {key: value for key, value in settings.items() if key not in ("allow", "fresh", "sweep", "name")}


def mutated(rng: random.Random, all_sound: list[dict[str, Any]]) -> Any:
    """Return settings with one to three changes."""
    sound = rng.choice(all_sound)
    settings = copy.deepcopy(sound)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holder, key = rng.choice(list(places(settings)))
        change = rng.randrange(8)
        if change == 0 and isinstance(holder, dict):
            del holder[key]
        elif change == 1 and isinstance(holder, dict):
            holder[rng.choice((*TEXTS, *sound))] = rng.choice(NUMBERS)
        elif change == 2:
            holder[key] = rng.choice(NUMBERS)
        elif change == 3:
            holder[key] = rng.choice(TEXTS)
        elif change == 4:
            holder[key] = nested(rng, holder[key])
        elif change == 5:
            holder[key] = {"_target_": rng.choice(TARGETS), "a": 1}
        elif change == 6:
            section = rng.choice(list(sound))
            settings[section] = copy.deepcopy(rng.choice(all_sound)[section])
        else:
            targets = [place for place in places(settings) if place[1] == "_target_"]
            holder, key = rng.choice(targets) if targets else (holder, key)
            holder[key] = rng.choice(TARGETS)
    return settings


def nested(rng: random.Random, value: Any) -> Any:
    """Return a value of another type: within lists or a mapping, as text, a truth or null."""
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.choice((1, 3, 30, 48))):
            value = [value]
        return value
    return (value, {"a": value}, str(value), True, None, [value, [value, {"_target_": value}]])[kind]


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in settings with each of its keys or indices."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])
