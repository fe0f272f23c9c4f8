"""Write the pages of docs/results: which models and schedules learn a random pattern, and which of the blog's claims hold.

    python -m tools.results                   two seeds, five of the recipes, shortened training: an hour or two on two cores
                                                 (make results)
    python -m tools.results --full            five seeds, ten of the recipes, whole training: a night
    python -m tools.results --only models     one study and its page
    python -m tools.results --write           run nothing, write the pages from the finished runs

Each study is a sweep (outputs/results_<study>), so the same command continues where it was stopped.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping

import numpy as np

from tools.studies import CLAIMS, ROOT, STUDIES, Study
from vrnn import plots
from vrnn.runs import compare
from vrnn.runs.claims import claims, labelled, ordered, table
from vrnn.runs.collect import read_run
from vrnn.runs.compare import Group
from vrnn.runs.compare_table import line
from vrnn.runs.name import run_name
from vrnn.runs.statistics import FEWEST

PAGES = ROOT / "docs" / "results"

EXPLANATION = f"""A cell is the mean over the seeds and, in brackets, its 95 % interval by Student's t; `runs` is
their number. ELBO and KL are in nats per step, on held-out traces. Generated laps have sampled points (the next-point networks
of the earlier posts feed back means). seconds: the training alone, on a machine that did other work, too. Bold: the best of the
column on its dataset. "Cannot be told": the interval of the score, or of the difference by Welch's test, includes both sides,
or there are fewer than {FEWEST} seeds.
"""


def launch(name: str, study: Study, full: bool) -> None:
    """Run the pending runs of a study on all cores. A run that fails is left out of the table."""
    grid = [f"seed={','.join(map(str, study.seeds_of(full)))}"]
    grid += [f"dataset={','.join(study.datasets)}"] if study.datasets else []
    command = [sys.executable, "scripts/train.py", "-m", "hydra/launcher=cores", f"sweep=results_{name}"]
    for overrides in study.rows.values():
        subprocess.run([*command, *study.options(full), *overrides, *grid], cwd=ROOT, check=False)


def read_rows(name: str, study: Study, full: bool) -> dict[str, Group]:
    """Return the study's rows that have finished runs, by their labels."""
    groups = []
    for row, own in study.rows.items():
        for dataset in study.datasets or [""]:
            overrides = [*study.options(full), *own, *([f"dataset={dataset}"] if dataset else [])]
            named = ([*overrides, f"seed={seed}"] for seed in study.seeds_of(full))
            names = [run_name(f"results_{name}", None, "", overrides) for overrides in named]
            finished = [path for run in names if ((path := ROOT / "outputs" / run) / "done").exists()]
            if finished:
                parameters = {study.key: row} | ({"dataset": dataset} if dataset else {})
                groups.append(Group(parameters, [read_run(path) for path in finished]))
                compare.estimate(groups[-1])
    return ordered(groups, study.sort, "dataset") if study.sort else labelled(groups)


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
    overrides, own = study.overrides(full)
    head = f"""# {study.question}

Written by `make results ARGS="--only {name}{" --full" if full else ""}"`: {overrides}, seeds
{", ".join(map(str, study.seeds_of(full)))}. {EXPLANATION}"""
    lines = [*table(rows, study.scores, "dataset" if study.datasets else study.key), ""]
    lines += worst(rows) if study.seeds else []
    shown = {group.parameters[study.key] for group in rows.values()} & own.keys()
    lines += ["Rows:", "", *(f"- {row}: `{' '.join(own[row])}`" for row in own if row in shown), ""] if shown else []
    said = claims([claim for claim in CLAIMS if claim.study == name], {name: rows})
    page = PAGES / f"{name}.md"
    page.write_text(
        "\n".join([head, *lines, *figures(name, study, rows), *(["## Claims", "", *said, ""] if said else [])])
    )
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
