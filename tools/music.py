"""Train on the four sets of piano rolls and write docs/music.md: our figures beside the published ones.

    python tools/music.py --data DIR            JSB Chorales and Piano-midi.de, two seeds (make music)
    python tools/music.py --data DIR --full     all four sets, five seeds; JSB Chorales by FIVO-16 and by NADE, too
    python tools/music.py --data DIR --only jsb one set
    python tools/music.py --data DIR --tries    JSB by other models, one seed each: docs/results/music_models.md
    python tools/music.py --data DIR --write    run nothing, write the page from the finished runs; of --tries the other

DIR holds JSB_Chorales.mat, Nottingham.mat, MuseData.mat and Piano_midi.mat, see docs/data.md. Each set is a sweep, so the same
command continues where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vrnn.data.loader import TraceSet
from vrnn.evaluation import particle_scores
from vrnn.patterns import PianoRolls
from vrnn.runs.collect import read_run, training_seconds
from vrnn.runs.compare_table import line
from vrnn.runs.curves import curve
from vrnn.runs.directory import read_scores
from vrnn.runs.load import CHECKPOINTS, load_run
from vrnn.runs.name import run_name
from vrnn.runs.statistics import FEWEST, Array, mean_interval

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "music.md"
MODELS_PAGE = ROOT / "docs" / "results" / "music_models.md"
PARTICLES = 128  # of the bounds


@dataclass(frozen=True)
class Music:
    """A set of piano rolls, and the experiment that learns it.

    Attributes:
        name: What the literature calls it.
        file: Its name in the directory of the data.
    """

    name: str
    file: str


SETS = {
    "jsb": Music("JSB", "JSB_Chorales.mat"),
    "nottingham": Music("Nottingham", "Nottingham.mat"),
    "muse_data": Music("MuseData", "MuseData.mat"),
    "piano_midi": Music("Piano-midi", "Piano_midi.mat"),
}
REDUCED = ("jsb", "piano_midi")


@dataclass(frozen=True)
class Training:
    """How the sets' experiments are trained.

    Attributes:
        label: What it is called.
        overrides: Of the experiments.
        sets: Which are trained so.
        suffix: What the experiments' names have after those of the sets.
    """

    label: str
    overrides: tuple[str, ...]
    sets: tuple[str, ...]
    suffix: str = ""


ELBO = Training("trained on the ELBO", (), tuple(SETS))
# The best ELBO comes early, while the KL still warms up; FIVO itself is better at the end, on the validation sequences, too.
AT_END = "evaluation.checkpoint=last"
FIVO = Training("trained on FIVO-16", ("bound=fivo", "bound.particles=16", AT_END), ("jsb",))
NADE = Training("NADE and a smoothing posterior, trained on the ELBO", (), ("jsb",), suffix="_nade")
TRAININGS = (ELBO, FIVO, NADE)
# Other models of JSB, each trained once; the first three are those above. Test sequences play no part.
UNSCORED = "evaluation.particles=null"
OTHERS = {
    "NADE": ("likelihood=nade", "likelihood.hidden=256", "optimizer.weight_decay=0.15"),
    "smoothing posterior": ("posterior=smoothing",),
    "noise on what phi_x sees": ("regularisation=input_noise", "regularisation.input_noise=0.1"),
    "state-space model": ("architecture=dmm",),
    "STORN": ("architecture=storn",),
    "twice the units, more weight decay": ("model.h_dim=96", "optimizer.weight_decay=1"),
    "dropout": ("regularisation=dropout", "regularisation.dropout=0.2", "training.steps=1500"),
}
TRIES = (*TRAININGS, *(Training(label, (*words, UNSCORED), ("jsb",)) for label, words in OTHERS.items()))
BOUNDS = {"elbo": "ELBO", "iwae": f"IWAE-{PARTICLES}", "fivo": f"FIVO-{PARTICLES}"}

README, MEMORY = "read, mcbits' README", "from memory"
# Model, what its figures are, where they were found, and test nats per step in the order of SETS; None: not found.
PUBLISHED: tuple[tuple[str, str, tuple[float | None, ...]], ...] = (
    ("DMM, its bound", "read, Pyro's tutorial", (-6.93, None, None, None)),
    ("DMM of Pyro, its bound", "read, Pyro's tutorial", (-6.87, None, None, None)),
    ("the same with 1 IAF", "read, Pyro's tutorial", (-6.82, None, None, None)),
    ("the same with 2 IAF", "read, Pyro's tutorial", (-6.80, None, None, None)),
    ("DMM, importance sampled", "a secondary source", (-6.39, -2.77, -6.83, -7.83)),
    ("VRNN, ELBO*", README, (-8.69, -4.19, -6.52, -7.33)),
    ("VRNN, IWAE-4*", README, (-8.25, -3.44, -6.54, -7.29)),
    ("VRNN, FIVO-4*", README, (-7.60, -3.38, -6.00, -7.19)),
    ("VRNN, ELBO (Maddison et al. 2017)", MEMORY, (-8.60, -3.00, -7.15, -7.81)),
    ("VRNN, IWAE-4 (Maddison et al. 2017)", MEMORY, (-7.86, -2.75, -7.20, -7.86)),
    ("VRNN, FIVO-4 (Maddison et al. 2017)", MEMORY, (-6.90, -2.68, -6.20, -7.76)),
    ("VRNN, FIVO-16 (Maddison et al. 2017)", MEMORY, (-6.72, -2.58, -5.89, -7.43)),
    ("SRNN", MEMORY, (-4.74, -2.94, -6.28, -8.20)),
    ("STORN", MEMORY, (-6.91, -2.85, -6.16, -7.13)),
    ("RNN-NADE", MEMORY, (-5.19, -2.31, -5.60, -7.05)),
)


@dataclass(frozen=True)
class Found:
    """The finished runs of one set, all trained alike.

    Attributes:
        scores: Of each run.
        seconds: Of each run's training.
        parameters: Settings that the page shows.
        figure: Of the first run: a test sequence, its reconstruction, a generated one.
    """

    scores: Sequence[Mapping[str, Any]]
    seconds: Sequence[float]
    parameters: str
    figure: Path

    def values(self, key: str) -> Array:
        """Return a score of all runs, (n,)."""
        return np.array([float(scores[key]) for scores in self.scores])


Results = Mapping[tuple[Training, str], Found]  # by training and set


def overrides(training: Training, name: str, data: Path, seed: int | str) -> list[str]:
    """Return the overrides of a run; `seed` may be a list of seeds, with commas."""
    file = f"dataset.file={data / SETS[name].file}"
    return ["sweep=music", f"experiment={name}{training.suffix}", file, f"seed={seed}", *training.overrides]


def directory(training: Training, name: str, data: Path, seed: int) -> Path:
    """Return a run's directory, relative to ROOT."""
    return Path("outputs") / run_name("music", name, "piano_rolls", overrides(training, name, data, seed))


def launch(training: Training, name: str, data: Path, seeds: Sequence[int], jobs: int) -> None:
    """Run the pending runs of a set. A run that fails is left out of the page."""
    command = [sys.executable, "scripts/train.py", "-m", "hydra/launcher=cores", f"hydra.launcher.n_jobs={jobs}"]
    subprocess.run([*command, *overrides(training, name, data, ",".join(map(str, seeds)))], cwd=ROOT, check=False)


def finished(training: Training, name: str, data: Path, seeds: Sequence[int]) -> list[Path]:
    """Return the directories of a set's finished runs."""
    paths = (ROOT / directory(training, name, data, seed) for seed in seeds)
    return [path for path in paths if (path / "done").exists()]


def read(training: Training, name: str, data: Path, seeds: Sequence[int]) -> Found | None:
    """Return a set's finished runs; None if there are none."""
    runs = [read_run(path) for path in finished(training, name, data, seeds)]
    if not runs:
        return None
    settings = runs[0].settings
    shown = ("model.h_dim", "model.z_dim", "training.steps", "optim.learning_rate", "data.batch_size", "data.window")
    return Found(
        [read_scores(run.directory) for run in runs],
        [training_seconds(run) for run in runs],
        ", ".join(f"{key} {settings[key]}" for key in shown),
        runs[0].directory / "figures" / "reconstructed.png",
    )


def interval(values: Array) -> str:
    """Return a mean, its 95 % interval and n, as text; one value alone."""
    if len(values) < 2:
        return f"{values.mean():.3f} (1)"
    low, high = mean_interval(values)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}] ({len(values)})"


def validation_bounds(path: Path, rolls: TraceSet) -> dict[str, float]:
    """Return FIVO on sequences for validation, in nats per step, at each checkpoint of a run; kept beside the run."""
    kept = path / "validation.json"
    if not kept.exists():
        bounds = {}
        for checkpoint in CHECKPOINTS:
            run = load_run(path, checkpoint)
            noise = torch.Generator().manual_seed(0)
            bounds[checkpoint] = particle_scores(run.vrnn, rolls.x, rolls.mask, PARTICLES, noise)["fivo_nats_per_step"]
        kept.write_text(json.dumps(bounds))
    found: dict[str, float] = json.loads(kept.read_text())
    return found


def tried(data: Path) -> list[str]:
    """Return the table of tries on JSB, by their figures on the validation sequences."""
    headings = [
        "model of JSB",
        "best ELBO",
        f"{BOUNDS['fivo']} then",
        f"{BOUNDS['fivo']} at the end",
        "seconds",
        "overrides",
    ]
    lines = [line(headings), line(["---"] * len(headings))]
    rolls = TraceSet(list(PianoRolls(data / SETS["jsb"].file).sources["val"]))
    for training in TRIES:
        for path in finished(training, "jsb", data, [0]):
            run, bounds = read_run(path), validation_bounds(path, rolls)
            best = curve(path, "val/elbo")[1].max()
            figures_of_run = [f"{value:.3f}" for value in (best, bounds["best"], bounds["last"])]
            words = " ".join(word for word in training.overrides if word not in (AT_END, UNSCORED))
            lines.append(line([training.label, *figures_of_run, f"{training_seconds(run):.0f}", f"`{words}`"]))
    return lines


def beside_published(found: Results, constant: Mapping[str, float]) -> list[str]:
    """Return the table of our figures and the published ones."""
    lines = [line(["test nats per step", *(music.name for music in SETS.values()), "source"]), line(["---"] * 6)]
    for training in dict.fromkeys(training for training, _ in found):
        for key, label in BOUNDS.items():
            runs = [found.get((training, name)) for name in SETS]
            cells = ["" if of_set is None else interval(of_set.values(f"{key}_nats_per_step")) for of_set in runs]
            lines.append(line([f"**VRNN Lab, {training.label}: {label}**", *cells, "measured"]))
    cells = [f"{constant[name]:.2f}" if name in constant else "" for name in SETS]
    lines.append(line(["one constant probability per key", *cells, "measured"]))
    for label, source, values in PUBLISHED:
        lines.append(line([label, *("" if value is None else f"{value:.2f}" for value in values), source]))
    return lines


def ours(found: Results) -> list[str]:
    """Return the table of our runs."""
    headings = ["set", "trained on", "runs", "FIVO, nats per sequence", "KL, nats per step", "seconds", "settings"]
    lines = [line(headings), line(["---"] * len(headings))]
    for (training, name), runs in found.items():
        per_sequence, kl = (runs.values(key) for key in ("fivo_nats_per_sequence", "kl_nats_per_step"))
        seconds = f"{np.median(runs.seconds):.0f}"
        how = training.label.removeprefix("trained on ")
        figures_of_runs = [str(len(kl)), interval(per_sequence), interval(kl), seconds, runs.parameters]
        lines.append(line([name, how, *figures_of_runs]))
    return lines


def order_of_bounds(found: Results) -> list[str]:
    """Return whether FIVO >= IWAE >= ELBO holds on each set, by the differences within each run."""
    lines = []
    for (training, name), runs in found.items():
        for high, low in (("fivo", "iwae"), ("iwae", "elbo")):
            differences = runs.values(f"{high}_nats_per_step") - runs.values(f"{low}_nats_per_step")
            said = f"{BOUNDS[high]} - {BOUNDS[low]} is {interval(differences)} nats per step"
            said = f"{SETS[name].name}, {training.label}: {said}."
            lines.append(f"- {said} **{verdict(differences)}.**")
    return lines


def figures(found: Results) -> list[str]:
    """Copy each set's figure beside the page, of a run trained on the ELBO, and return the lines that show them."""
    lines = []
    for name, runs in ((name, runs) for (training, name), runs in found.items() if training == ELBO):
        copy = PAGE.with_name(f"music_{name}.png")
        shutil.copyfile(runs.figure, copy)
        lines += [f"![{SETS[name].name}]({copy.name})", ""]
    return lines


def verdict(differences: Array) -> str:
    """Return whether differences are positive; it cannot be told where their interval includes 0, or from too few seeds."""
    low, high = mean_interval(differences)
    if len(differences) < FEWEST or low <= 0 <= high:
        return "Cannot be told"
    return "Holds" if low > 0 else "Does not hold"


def write(found: Results, constant: Mapping[str, float], command: str) -> None:
    """Write the page."""
    PAGE.write_text(
        "\n".join(
            [
                "# Polyphonic music",
                "",
                f"Written by `{command}`. {EXPLANATION}",
                *beside_published(found, constant),
                "",
                FOOTNOTE,
                "",
                "## Our runs",
                "",
                *ours(found),
                "",
                "## Does the FIVO paper's order of bounds hold here?",
                "",
                ORDER,
                "",
                *order_of_bounds(found),
                "",
                "## A test sequence, its reconstruction, and a sequence from the prior",
                "",
                *figures(found),
            ]
        )
    )
    print(PAGE)


EXPLANATION = f"""The four sets of piano rolls by which sequential latent variable models are compared
(Boulanger-Lewandowski et al. 2012): which of 88 keys are down at each step. Figures are in nats per step on the test
sequences, whole: all their nats divided by all their steps. A run trained on the ELBO takes the checkpoint with the best ELBO
on the validation sequences; one trained on FIVO takes the last, whose FIVO on them is better. By these the settings for JSB
and Piano-midi were chosen, too, never by the test; those for MuseData are the best of five tries, and those for Nottingham,
and for FIVO, were carried over without a search. A cell is the mean over the seeds, its 95 % interval by Student's t in square
brackets, and the number of seeds in round ones. IWAE and FIVO are lower bounds by {PARTICLES} particles.
[Data](data.md#music) says where the sets are.
"""
FOOTNOTE = """\\* The first 100 steps of 50 pieces, converted from code lengths. Published figures are given as they were
found; those "from memory" were not checked against the paper. They differ in what they are: an ELBO, an importance-sampled
estimate, or the best of several bounds."""
ORDER = f"""Maddison et al. (2017) say that FIVO is the tightest of the three bounds, and IWAE tighter than the ELBO. Here each
run is evaluated by all three, and a difference is taken within each run. No verdict is given on fewer than {FEWEST} seeds."""

TRIED = f"""# Other models of JSB Chorales

Written by `make music ARGS="--data DIR --tries"`. Which VRNN models the chorales best: one with another posterior, another
prior, noisy inputs, more units? Each row is `experiment=jsb` with its overrides and one seed (0), in nats per step of the
validation sequences. *Best ELBO* is that of the best checkpoint; *{BOUNDS["fivo"]} then* is at that checkpoint. Test sequences
play no part. One seed gives no verdict.
"""


def main() -> None:
    """Run the sets, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the directory of the .mat files")
    parser.add_argument("--full", action="store_true", help="all four sets, five seeds")
    parser.add_argument("--only", nargs="*", choices=list(SETS), help="these sets")
    parser.add_argument("--jobs", type=int, default=-1, help="runs at a time; -1: one per core")
    parser.add_argument("--tries", action="store_true", help="other models of JSB, in place of the sets")
    parser.add_argument("--write", action="store_true", help="run nothing")
    options = parser.parse_args()
    names = ["jsb"] if options.tries else options.only or (list(SETS) if options.full else REDUCED)
    seeds = range(5) if options.full else range(2)
    if missing := [SETS[name].file for name in names if not (options.data / SETS[name].file).is_file()]:
        parser.error(f"--data must be a directory with {', '.join(missing)}, but is {options.data}: see docs/data.md.")
    trainings = TRAININGS if options.full else TRAININGS[:1]
    data = options.data.absolute()
    if options.tries:
        for training in [] if options.write else TRIES:
            launch(training, "jsb", data, [0], options.jobs)
        MODELS_PAGE.write_text("\n".join([TRIED, *tried(data), ""]))
        return
    studies = [(training, name) for training in trainings for name in names if name in training.sets]
    for training, name in [] if options.write else studies:
        launch(training, name, data, seeds, options.jobs)
    found = {study: runs for study in studies if (runs := read(*study, data, seeds))}
    constant = {name: PianoRolls(options.data / SETS[name].file).constant_nats_per_step() for name in names}
    write(found, constant, f'make music ARGS="--data DIR{" --full" if options.full else ""}"')


if __name__ == "__main__":
    main()
