"""docs/results.md: which models and schemes learn a stochastic pattern, side by side, and which of the blog's claims hold.

    python tools/results.py                   two seeds, shortened training: under an hour of two cores  (make results)
    python tools/results.py --full            five seeds, whole training: a night
    python tools/results.py --only models     one study; the page holds those that have been run
    python tools/results.py --write           run nothing, write the page from what there is

Every study is a sweep (outputs/results_<study>), so the same command goes on where it was stopped.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vrnn import plots
from vrnn.runs import compare
from vrnn.runs.claims import Claim, Condition, claims, ordered, table
from vrnn.runs.compare import Group
from vrnn.runs.name import run_name

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / "docs" / "results.md", ROOT / "docs" / "results"


@dataclass(frozen=True)
class Study:
    """One question, one sweep, one table.

    axis, values: what is compared. datasets: on which patterns; empty where an experiment brings its own. fixed: what is the
    same in all. short: what shortens it. scores: the columns. sort: the one that orders the rows.
    """

    question: str
    axis: str
    values: Sequence[str]
    scores: Sequence[str]
    sort: str
    datasets: Sequence[str] = ()
    fixed: Sequence[str] = ()
    short: Sequence[str] = ()

    def options(self, full: bool) -> list[str]:
        """What all its runs are given."""
        return [*self.fixed, *(() if full else self.short)]


LEARNED = ("invalid_fraction", "transition_tv", "laps_right_fraction", "elbo_nats_per_step", "kl_nats_per_step")
ON_EYE = ("invalid_fraction", "transition_tv", "elbo_nats_per_step", "kl_nats_per_step", "kl_at_junctions_share")
PAPER = ("rnn_gauss", "rnn_gmm", "vrnn_i", "vrnn_gauss", "vrnn_gmm")
BLOG = (
    "eye",
    "eye_elman",
    "circle_triangle_eight",
    "r1",
    "8_traces",
    "predictive",
    "eight",
    "one_side",
    "rnn",
    "mtrnn",
)
SCHEMES = sorted(path.stem for path in (ROOT / "conf" / "w_schedule").glob("*.yaml") if path.stem != "adaptive")
STUDIES = {
    "recipes": Study(
        "Do our recipes learn what the blog's could not?",
        axis="experiment",
        values=("eye", "eye_gaussian", "circle_triangle_eight"),
        scores=(*LEARNED, "kl_at_junctions_share", "kl_per_choice_nats"),
        sort="invalid_fraction",
    ),
    "models": Study(
        "Which of the paper's models learns a pattern, with equally many weights and the same training?",
        axis="experiment",
        values=[f"paper_{name}" for name in PAPER],
        datasets=("eye", "circle_triangle_eight"),
        scores=LEARNED,
        sort="invalid_fraction",
        short=("training.steps=2000",),
    ),
    "schemes": Study(
        "Which weight of the KL makes VRNN-Gauss learn the eye, every scheme as its file has it?",
        axis="w_schedule",
        values=SCHEMES,
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss",),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "latents": Study(
        "Which kind of z makes the choice, under a Gaussian hardly wider than the hand's noise?",
        axis="latent",
        values=("gaussian", "categorical", "gaussian_categorical"),
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss", "likelihood.ceiling=0.04", "w_schedule.prior_at_once=true"),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "blog": Study(
        "What do the blog's experiments, its appendix and its earlier posts learn?",
        axis="experiment",
        values=[f"blog_{name}" for name in BLOG],
        scores=("reconstruction_rmse", *LEARNED),
        sort="reconstruction_rmse",
    ),
}

RANDOM = ("blog_eye", "blog_circle_triangle_eight")
CLAIMS = (
    Claim(
        "The blog: the VRNN reconstructs the eye and circle-triangle-eight (within a tenth of a unit).",
        "blog",
        [Condition(row, "reconstruction_rmse", "<", 0.1) for row in RANDOM],
    ),
    Claim(
        "The blog: from the prior it generates neither (more than a tenth of the laps are invalid).",
        "blog",
        [Condition(row, "invalid_fraction", ">", 0.1) for row in RANDOM],
    ),
    Claim(
        "The blog: it generates a simple pattern, the eight (beside each trace's beginning hardly a lap is invalid).",
        "blog",
        [Condition("blog_eight", "invalid_fraction", "<", 0.05)],
        beside=[("blog_eight", "laps_right_fraction")],
    ),
    Claim(
        "The blog: r = 10 serves better than r = 1 (it reconstructs the random trace more closely).",
        "blog",
        [Condition("blog_circle_triangle_eight", "reconstruction_rmse", "<", "blog_r1")],
        beside=[("blog_circle_triangle_eight", "kl_nats_per_step"), ("blog_r1", "kl_nats_per_step")],
    ),
    Claim(
        "Eight traces instead of one cure the generation of the random trace.",
        "blog",
        [Condition("blog_8_traces", "invalid_fraction", "<", 0.1)],
    ),
    Claim(
        "The GRU does better than the Elman network on the eye.",
        "blog",
        [Condition("blog_eye", "invalid_fraction", "<", "blog_eye_elman")],
        beside=[("blog_eye", "reconstruction_rmse"), ("blog_eye_elman", "reconstruction_rmse")],
    ),
    Claim(
        "Ours: the recipes generate both (at most 2 % invalid laps, transitions within a total variation of 0.05).",
        "recipes",
        [
            Condition(row, score, "<", bound)
            for row in ("eye", "circle_triangle_eight")
            for score, bound in (("invalid_fraction", 0.02), ("transition_tv", 0.05))
        ],
    ),
    *(
        Claim(
            f"A latent variable serves: VRNN-Gauss draws fewer invalid laps of {dataset} than the simpler RNN-GMM.",
            "models",
            [Condition(f"paper_vrnn_gauss, {dataset}", "invalid_fraction", "<", f"paper_rnn_gmm, {dataset}")],
            beside=[(f"paper_{name}, {dataset}", "transition_tv") for name in ("vrnn_gauss", "rnn_gmm")],
        )
        for dataset in ("eye", "circle_triangle_eight")
    ),
)


def launch(name: str, study: Study, seeds: Sequence[int], full: bool) -> None:
    """Run what is left of a study, on all cores; a run that fails is left out of the table."""
    axes = {study.axis: study.values, "seed": [str(seed) for seed in seeds]}
    axes |= {"dataset": study.datasets} if study.datasets else {}
    grid = [f"{key}={','.join(values)}" for key, values in axes.items()]
    command = [sys.executable, "scripts/train.py", "-m", "hydra/launcher=cores", f"sweep=results_{name}"]
    subprocess.run([*command, *study.options(full), *grid], cwd=ROOT, check=False)


def gather(name: str, study: Study, seeds: Sequence[int], full: bool) -> dict[str, Group]:
    """The study's rows of finished runs, best first."""
    rng = np.random.default_rng(0)
    groups = []
    for value in study.values:
        for dataset in study.datasets or [""]:
            about = {study.axis: value} | ({"dataset": dataset} if dataset else {})
            asked = [*study.options(full), *(f"{key}={chosen}" for key, chosen in about.items())]
            experiment = next(part.split("=")[1] for part in asked if part.startswith("experiment="))
            names = [run_name(f"results_{name}", experiment, dataset, [*asked, f"seed={seed}"]) for seed in seeds]
            runs = [ROOT / "outputs" / run for run in names]
            if any((run / "done").exists() for run in runs):
                groups.append(Group(about, [compare.read_run(run) for run in runs if (run / "done").exists()]))
                compare.estimate(groups[-1], rng)
    return ordered(groups, study.sort, "dataset")


def section(name: str, study: Study, rows: Mapping[str, Group], full: bool) -> list[str]:
    """A study on the page; its figures are drawn beside it."""
    values = {s: {label: (g.mean[s], g.low[s], g.high[s]) for label, g in rows.items()} for s in study.scores}
    plots.save(plots.plot_intervals(values), FIGURES / f"{name}.png")
    drawn = {label: np.load(g.runs[0].directory / "sample.npy").astype(float) for label, g in rows.items()}
    steps = min(map(len, drawn.values()))
    plots.save(
        plots.plot_trace_grid(np.stack([x[:steps] for x in drawn.values()]), list(drawn)),
        FIGURES / f"{name}_traces.png",
    )
    asked = " ".join([f"{study.axis}=…", *study.options(full)])
    figures = [f"![{name}](results/{name}.png)", "", f"![traces drawn](results/{name}_traces.png)", ""]
    return [
        f"## {study.question}",
        "",
        f"`{asked}`",
        "",
        *table(rows, study.scores, "dataset" if study.datasets else study.axis),
        "",
        *figures,
    ]


def write(seeds: Sequence[int], full: bool) -> None:
    """Make the page and its figures of whatever has finished."""
    results = {name: rows for name, study in STUDIES.items() if (rows := gather(name, study, seeds, full))}
    head = f"""# Results

Made by `make results{" ARGS=--full" if full else ""}`, seeds {", ".join(map(str, seeds))}. A cell is the mean over the seeds
and, in brackets, its 95 % bootstrap interval, which for two seeds is their range. ELBO and KL in nats per step, held out;
generated laps with every point sampled (the next-point networks of the earlier posts feed back means). seconds: training
alone, beside other work, so it says little. Bold: the best of its column on its data set. Fewer runs: not finished yet.

## What holds

A claim cannot be told where the intervals overlap: another seed could turn it round.
"""
    sections = [row for name, rows in results.items() for row in section(name, STUDIES[name], rows, full)]
    PAGE.write_text("\n".join([head, *claims(CLAIMS, results), "", *sections]))
    print(PAGE)


def main() -> None:
    """Run what is asked for, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="five seeds, whole training")
    parser.add_argument("--only", nargs="*", choices=list(STUDIES), default=list(STUDIES), help="these studies")
    parser.add_argument("--write", action="store_true", help="run nothing")
    asked = parser.parse_args()
    seeds = range(5) if asked.full else range(2)
    for name in [] if asked.write else asked.only:
        launch(name, STUDIES[name], seeds, asked.full)
    write(seeds, asked.full)


if __name__ == "__main__":
    main()
