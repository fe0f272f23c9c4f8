"""Write the pages of docs/results: which models and schedules learn a random pattern, and which of the blog's claims hold.

    python tools/results.py                   two seeds, five of the recipes, shortened training: an hour or two on two cores
                                              (make results)
    python tools/results.py --full            five seeds, ten of the recipes, whole training: a night
    python tools/results.py --only models     one study and its page
    python tools/results.py --write           run nothing, write the pages from the finished runs

Each study is a sweep (outputs/results_<study>), so the same command continues where it was stopped.
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
from vrnn.runs.compare import Group, line
from vrnn.runs.name import run_name
from vrnn.runs.statistics import FEWEST

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "results"


@dataclass(frozen=True)
class Study:
    """A question that one sweep answers by one table.

    Attributes:
        question: The heading.
        axis: The setting that is compared.
        values: Its values.
        scores: The table's columns.
        sort: The score that orders the rows.
        datasets: The patterns; empty where each experiment chooses its own.
        fixed: Overrides of all runs.
        short: Further overrides, which shorten the training.
        seeds: Those of `--full`; the page's own where empty. The short form takes the first five.
    """

    question: str
    axis: str
    values: Sequence[str]
    scores: Sequence[str]
    sort: str
    datasets: Sequence[str] = ()
    fixed: Sequence[str] = ()
    short: Sequence[str] = ()
    seeds: Sequence[int] = ()

    def seeds_of(self, full: bool) -> Sequence[int]:
        """Return the seeds of all runs."""
        if self.seeds:
            return self.seeds if full else self.seeds[:5]
        return range(5) if full else range(2)

    def options(self, full: bool) -> list[str]:
        """Return the overrides of all runs."""
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
        "Do our recipes learn the patterns that the blog's could not?",
        axis="experiment",
        values=("eye", "eye_free_nats", "eye_gaussian", "circle_triangle_eight", "circle_triangle_eight_mixture"),
        scores=(*LEARNED, "kl_at_junctions_share", "kl_per_choice_nats"),
        sort="invalid_fraction",
        seeds=range(30, 40),  # no recipe was found or tuned with these
    ),
    "harder": Study(
        "Do the recipes learn harder automata: five states, a choice by the state before the last, a rare state, no choice?",
        axis="experiment",
        values=("five_states", "second_order", "rare_state", "no_choice"),
        scores=(*LEARNED, "kl_per_choice_nats", "two_sample_laps", "two_sample_visits"),
        sort="invalid_fraction",
        fixed=("evaluation.thorough=true",),
        seeds=range(40, 50),  # no recipe was found or tuned with these
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
        "Which schedule of w makes VRNN-Gauss learn the eye, each with the values of its file?",
        axis="w_schedule",
        values=SCHEMES,
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss",),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "latents": Study(
        "Which kind of z makes the choice, with a Gaussian hardly wider than the pen's noise?",
        axis="latent",
        values=("gaussian", "categorical", "gaussian_categorical"),
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss", "likelihood.ceiling=0.04", "w_schedule.prior_at_once=true"),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "blog": Study(
        "What do the experiments of the blog, its appendix and its earlier posts learn?",
        axis="experiment",
        values=[f"blog_{name}" for name in BLOG],
        scores=("reconstruction_rmse", *LEARNED),
        sort="reconstruction_rmse",
    ),
}

EXPLANATION = f"""A cell is the mean over the seeds and, in brackets, its 95 % interval by Student's t; `runs` is
their number. ELBO and KL are in nats per step, on held-out traces. Generated laps have sampled points (the next-point networks
of the earlier posts feed back means). seconds: the training alone, on a machine that did other work, too. Bold: the best of the
column on its dataset. "Cannot be told": the interval of the score, or of the difference by Welch's test, includes both sides,
or there are fewer than {FEWEST} seeds.
"""
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
        "The blog: it generates a simple pattern, the eight (less than a twentieth of the laps are invalid).",
        "blog",
        [Condition("blog_eight", "invalid_fraction", "<", 0.05)],
        also_shown=[("blog_eight", "laps_right_fraction")],
    ),
    Claim(
        "The blog: r = 10 is better than r = 1 (it reconstructs the random trace more closely).",
        "blog",
        [Condition("blog_circle_triangle_eight", "reconstruction_rmse", "<", "blog_r1")],
        also_shown=[("blog_circle_triangle_eight", "kl_nats_per_step"), ("blog_r1", "kl_nats_per_step")],
    ),
    Claim(
        "With eight traces instead of one the model generates the random trace.",
        "blog",
        [Condition("blog_8_traces", "invalid_fraction", "<", 0.1)],
    ),
    Claim(
        "The GRU is better than the Elman network on the eye.",
        "blog",
        [Condition("blog_eye", "invalid_fraction", "<", "blog_eye_elman")],
        also_shown=[("blog_eye", "reconstruction_rmse"), ("blog_eye_elman", "reconstruction_rmse")],
    ),
    Claim(
        "Ours: the recipes generate both (at most 0.2 % invalid laps, transitions within a total variation of 0.03).",
        "recipes",
        [
            Condition(row, score, "<", bound)
            for row in ("eye", "circle_triangle_eight")
            for score, bound in (("invalid_fraction", 0.002), ("transition_tv", 0.03))
        ],
    ),
    Claim(
        "Ours: the same recipe learns five states, a choice by the state before the last, and a rare state (at most 0.5 % "
        "invalid laps, transitions within a total variation of 0.03, 98 % of the visits with the right laps).",
        "harder",
        [
            Condition(row, score, side, bound)
            for row in ("five_states", "second_order", "rare_state")
            for score, side, bound in (
                ("invalid_fraction", "<", 0.005),
                ("transition_tv", "<", 0.03),
                ("laps_right_fraction", ">", 0.98),
            )
        ],
    ),
    Claim(
        "Ours: a trained classifier can hardly tell the laps and the visits from true ones (accuracies of 0.55 and 0.60).",
        "harder",
        [
            Condition(row, score, "<", bound)
            for row in ("five_states", "second_order", "rare_state")
            for score, bound in (("two_sample_laps", 0.55), ("two_sample_visits", 0.6))
        ],
    ),
    Claim(
        "Ours: where nothing is chosen, z says nothing (KL below 0.005 nats per step).",
        "harder",
        [Condition("no_choice", "kl_nats_per_step", "<", 0.005)],
    ),
    *(
        Claim(
            f"A latent variable helps: VRNN-Gauss draws fewer invalid laps of {dataset} than the simpler RNN-GMM.",
            "models",
            [Condition(f"paper_vrnn_gauss, {dataset}", "invalid_fraction", "<", f"paper_rnn_gmm, {dataset}")],
            also_shown=[(f"paper_{name}, {dataset}", "transition_tv") for name in ("vrnn_gauss", "rnn_gmm")],
        )
        for dataset in ("eye", "circle_triangle_eight")
    ),
)


def launch(name: str, study: Study, full: bool) -> None:
    """Run the pending runs of a study on all cores. A run that fails is left out of the table."""
    axes = {study.axis: study.values, "seed": [str(seed) for seed in study.seeds_of(full)]}
    axes |= {"dataset": study.datasets} if study.datasets else {}
    grid = [f"{key}={','.join(values)}" for key, values in axes.items()]
    command = [sys.executable, "scripts/train.py", "-m", "hydra/launcher=cores", f"sweep=results_{name}"]
    subprocess.run([*command, *study.options(full), *grid], cwd=ROOT, check=False)


def read_rows(name: str, study: Study, full: bool) -> dict[str, Group]:
    """Return the study's rows that have finished runs, best first."""
    groups = []
    for value in study.values:
        for dataset in study.datasets or [""]:
            parameters = {study.axis: value} | ({"dataset": dataset} if dataset else {})
            overrides = [*study.options(full), *(f"{key}={chosen}" for key, chosen in parameters.items())]
            experiment = next(part.split("=")[1] for part in overrides if part.startswith("experiment="))
            named = ([*overrides, f"seed={seed}"] for seed in study.seeds_of(full))
            names = [run_name(f"results_{name}", experiment, dataset, overrides) for overrides in named]
            finished = [path for run in names if ((path := ROOT / "outputs" / run) / "done").exists()]
            if finished:
                groups.append(Group(parameters, [compare.read_run(path) for path in finished]))
                compare.estimate(groups[-1])
    return ordered(groups, study.sort, "dataset")


def figures(name: str, study: Study, rows: Mapping[str, Group]) -> list[str]:
    """Write a study's figures and return the lines that show them."""
    values = {s: {label: (g.mean[s], g.low[s], g.high[s]) for label, g in rows.items()} for s in study.scores}
    plots.save(plots.plot_intervals(values), PAGES / f"{name}.png")
    traces = {label: np.load(g.runs[0].directory / "sample.npy").astype(float) for label, g in rows.items()}
    steps = min(map(len, traces.values()))
    figure = plots.plot_trace_grid(np.stack([trace[:steps] for trace in traces.values()]), list(traces))
    plots.save(figure, PAGES / f"{name}_traces.png")
    return [f"![{name}]({name}.png)", "", f"![generated traces]({name}_traces.png)", ""]


def worst(rows: Mapping[str, Group]) -> list[str]:
    """Return the worst seed's scores of each row as a table."""
    scores = {"invalid_fraction": max, "transition_tv": max, "laps_right_fraction": min}
    lines = [line(["worst seed", *scores]), line(["---"] * 4)]
    for label, group in rows.items():
        found = (f"{pick(group.values(name)):.4f}" if len(group.values(name)) else "-" for name, pick in scores.items())
        lines.append(line([label, *found]))
    return [*lines, ""]


def write(name: str, study: Study, full: bool) -> None:
    """Write a study's page from its finished runs; nothing if there are none."""
    rows = read_rows(name, study, full)
    if not rows:
        return
    overrides = " ".join([f"{study.axis}=…", *study.options(full)])
    head = f"""# {study.question}

Written by `make results ARGS="--only {name}{" --full" if full else ""}"`: `{overrides}`, seeds
{", ".join(map(str, study.seeds_of(full)))}. {EXPLANATION}"""
    lines = [*table(rows, study.scores, "dataset" if study.datasets else study.axis), ""]
    lines += worst(rows) if study.seeds else []
    said = claims([claim for claim in CLAIMS if claim.study == name], {name: rows})
    page = PAGES / f"{name}.md"
    page.write_text("\n".join([head, *lines, *figures(name, study, rows), "## Claims", "", *said, ""]))
    print(page)


def main() -> None:
    """Run the studies, then write their pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="five seeds, whole training")
    parser.add_argument("--only", nargs="*", choices=list(STUDIES), default=list(STUDIES), help="these studies")
    parser.add_argument("--write", action="store_true", help="run nothing")
    options = parser.parse_args()
    for name in [] if options.write else options.only:
        launch(name, STUDIES[name], options.full)
    for name in options.only:
        write(name, STUDIES[name], options.full)


if __name__ == "__main__":
    main()
