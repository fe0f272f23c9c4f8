"""What `vrnn --help` and `vrnn COMMAND --help` print: one screen, with the groups and defaults read from the YAML files."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NamedTuple, get_type_hints

from vrnn.cli import groups
from vrnn.runs.name import flat
from vrnn.runs.schema import SCHEMAS

WIDTH = 80
OPTIONS = "options: -q quiet, -v verbose"


class Page(NamedTuple):
    """The help of one command.

    Args:
        summary: One line.
        text: A few sentences more.
        settings: {setting: what it is}, the most used ones.
        examples: {command line: what it does}.
    """

    summary: str
    text: str
    settings: dict[str, str]
    examples: dict[str, str]


PAGES = {
    "train": Page(
        "train one run, or a sweep of them, from configuration to scores",
        "A run is written to outputs/<task>/<run>. The same command again continues it, or says that it has finished. "
        "dry=true only lists the runs and how each stands.",
        {
            "seed": "of weights, traces, their order and all noise",
            "fresh": "true: discard what the run's directory holds",
            "sweep": "the runs are written to outputs/<sweep>",
            "model.h_dim": "units of the recurrence",
            "optim.learning_rate": "at its peak",
            "training.steps": "of the optimizer",
        },
        {
            "vrnn train experiment=quick": "20 seconds, to look around",
            "vrnn train from=RUN seed=1": "a run again, with another seed",
            "vrnn train extend=RUN training.steps=8000": "a run made longer",
            "vrnn train -m recurrence=gru,lstm seed=0,1": "a sweep of four runs",
            "vrnn train --config-dir my experiment=mine": "files of your own",
        },
    ),
    "evaluate": Page(
        "score a trained run again",
        "With settings other than the run's own it writes files beside the first ones, scores-….json and figures-…/.",
        {
            "run": "the run's directory",
            "traces": "traces to generate",
            "steps": "points per trace",
            "sample": "true: points drawn from the decoder; false: its means",
            "checkpoint": "last or best",
            "seed": "of the evaluation's noise",
            "particles": "K of the bounds IWAE and FIVO",
            "thorough": "true: more scores, such as two-sample tests",
            "format": "of the figures: png, svg or pdf",
            "allow": "packages whose classes the run may name",
        },
        {
            "vrnn evaluate run=RUN": "as the run was evaluated",
            "vrnn evaluate run=RUN checkpoint=best": "the best weights, not the last",
            "vrnn evaluate run=RUN traces=256 steps=4096": "smaller standard errors",
            "vrnn evaluate run=RUN particles=64": "tighter bounds, too",
            "vrnn evaluate run=RUN sample=false": "generate by the decoder's means",
            "vrnn evaluate run=RUN format=pdf": "figures to publish",
        },
    ),
    "generate": Page(
        "draw traces from a trained run",
        "Writes one figure, or one file of points or curves.",
        {
            "run": "the run's directory",
            "n": "number of traces",
            "steps": "points per trace; null: as the run was evaluated",
            "label": "the class, or a file of exogenous series (condition= is the same)",
            "prefix": "a drawing that every trace continues",
            "format": "png, npz, csv, svg, json, …; moving: gif, mp4, animated_svg",
            "out": "the file; null: generated.<format> in the run's directory",
            "sample": "true: points drawn from the decoder; false: its means",
            "temperature": "of the decoder: below 1 calmer, above 1 wilder",
            "z_temperature": "likewise of the prior of z",
            "checkpoint": "last or best",
            "seed": "of the noise",
            "allow": "packages whose classes the run may name",
        },
        {
            "vrnn generate run=RUN": "a figure of eight traces",
            "vrnn generate run=RUN n=12 steps=600 format=svg": "twelve curves",
            "vrnn generate run=RUN n=4 steps=200 format=gif": "the pen draws",
            "vrnn generate run=RUN prefix=drawing.npy": "continue a drawing",
            "vrnn generate run=RUN out=points.csv": "points, for other programs",
            "vrnn generate run=RUN sample=false seed=3": "without the decoder's noise",
        },
    ),
    "impute": Page(
        "fill a gap in a drawing by a trained run",
        "The gap is [first, end]: points first to end - 1, counted from 0, are hidden and filled n times.",
        {
            "run": "the run's directory",
            "drawing": "a drawing or a series: npy, npz, csv, svg, … (docs/data.md)",
            "gap": "[first, end]",
            "n": "number of fillings",
            "particles": "1: given what comes before the gap; more: what follows, too",
            "label": "the class, of a run with condition=label (condition= is the same)",
            "format": "png, npz, csv, svg, …; null: what out ends in, or png",
            "out": "the file; null: imputed.<format> in the run's directory",
            "checkpoint": "last or best",
            "seed": "of the noise",
            "allow": "packages whose classes the run may name",
        },
        {
            "vrnn impute run=RUN drawing=a.npy gap=[60,110]": "a figure",
            "vrnn impute run=RUN drawing=a.npy gap=[60,110] n=20": "twenty ways",
            "vrnn impute run=RUN drawing=a.csv gap=[8,20] particles=256": "more exact",
            "vrnn impute run=RUN drawing=a.svg gap=[0,40] particles=1": "a beginning",
            "vrnn impute run=RUN drawing=a.npy gap=[60,110] out=filled.npz": "points",
        },
    ),
    "score": Page(
        "score own sequences by a trained run",
        "Writes the log-likelihood of each step as CSV, and a figure of what was surprising, for each sequence.",
        {
            "run": "the run's directory",
            "files": "drawings or series: npy, npz, csv, svg, … (docs/data.md)",
            "particles": "of the estimate; more are more exact",
            "label": "the class, of a run with condition=label (condition= is the same)",
            "out": "the directory; null: scored in the run's directory",
            "checkpoint": "last or best",
            "seed": "of the noise",
            "allow": "packages whose classes the run may name",
        },
        {
            "vrnn score run=RUN files=[drawing.npy]": "one drawing",
            "vrnn score run=RUN files=[a.csv,b.csv]": "two",
            "vrnn score run=RUN files=[a.csv] out=found": "written to found/",
            "vrnn score run=RUN files=[a.csv] particles=512": "more exactly",
            "vrnn score run=RUN files=[a.csv] checkpoint=best": "by the best weights",
        },
    ),
    "runs": Page(
        "list, filter, note, tag or remove runs",
        "Shows state, score and size of runs. `note`, `tag` and `remove` apply to those that `where` selects.",
        {
            "directory": "of runs; also without its key",
            "where": "conditions on scores, settings, state, tag, name",
            "note": "a note on each of them",
            "tag": "a tag for each of them; -TAG takes it away",
            "remove": "true: remove them, after a question",
            "yes": "true: without the question",
        },
        {
            "vrnn runs outputs": "all of them",
            "vrnn runs outputs/mine where='elbo_nats_per_step>6'": "the good ones",
            "vrnn runs outputs where='state=failed' remove=true": "remove failed ones",
            "vrnn runs outputs/mine note='before the fix'": "a note on each",
            "vrnn runs outputs where='model.h_dim>=64' tag=large": "a tag",
        },
    ),
    "compare": Page(
        "compare the runs below a directory: a table, figures and a page",
        "Seeds of one setting become one row. Running and failed runs are listed, too.",
        {
            "runs": "a directory of runs, such as a sweep's",
            "sort": "the score to sort by",
            "out": "where compare.html, .md, .csv and compare/ go; null: beside the runs",
            "traces": "runs on the figure of generated traces, the best first",
        },
        {
            "vrnn compare runs=outputs/mine": "a sweep",
            "vrnn compare runs=outputs": "everything",
            "vrnn compare runs=outputs/mine sort=transition_tv": "by the odds it learned",
            "vrnn compare runs=outputs/mine out=comparison": "written elsewhere",
            "vrnn compare runs=outputs/mine traces=6": "the six best",
        },
    ),
    "report": Page(
        "write one HTML page about a run, or about many, to send to others",
        "The page needs no other file and no network: scores beside the truth, figures, curves, settings, provenance and "
        "warnings; of many runs the table of compare, which a click on a heading sorts. It names the machine and the command.",
        {
            "run": "a run's directory",
            "runs": "instead: a directory of runs, such as a sweep's",
            "out": "the file; null: report.html in that directory",
            "sort": "the score to sort many runs by",
            "traces": "of many runs, those on the figure of generated traces",
        },
        {
            "vrnn report run=RUN": "one run",
            "vrnn report run=RUN out=eye.html": "written elsewhere",
            "vrnn report runs=outputs/mine": "a sweep",
            "vrnn report runs=outputs/mine sort=transition_tv": "by the odds it learned",
            "vrnn report runs=outputs out=all.html traces=6": "everything",
        },
    ),
    "draw": Page(
        "a page on which to draw, train on the drawing, and have it continued",
        "Opens at http://127.0.0.1:8642/ and is served to this machine alone. Drawings are saved as they are made; trainings "
        "are runs as any other. The same command again continues what was at work.",
        {
            "directory": "of the drawings",
            "run": "a run that was trained elsewhere, to draw on with",
            "host": "the address to listen at; another one lets others reach it",
            "port": "0: any free one",
            "allow": "packages whose classes the run may name",
        },
        {
            "vrnn draw": "draw, train, draw on",
            "vrnn draw directory=sketches": "with the drawings elsewhere",
            "vrnn draw run=RUN": "draw on with a run",
            "vrnn draw run=RUN allow=[vrnn,lab]": "of classes of your own",
            "vrnn draw port=0": "at any free port",
        },
    ),
    "search": Page(
        "search for good settings with Optuna",
        "Each trial is a run in outputs/<sweep>. The same command again continues; several processes may share the work.",
        {
            "sweep": "the study's name",
            "trials": "in all, over all processes",
            "score": "what is to be best",
            "prune": "true: end a run that falls behind the median of the others",
            "storage": "a storage URL of Optuna's; null: a file beside the runs",
            "seed": "of the search itself",
            "base": "overrides that every trial starts from",
            "on_dataset": "a dataset instead of the base's",
            "space": "{setting: [choices] or {low, high, log}}",
        },
        {
            "vrnn search sweep=found trials=20": "the quick space",
            "vrnn search search=recipe sweep=recipe trials=50": "the recipe's space",
            "vrnn search on_dataset=one_side sweep=one_side": "on another dataset",
            "vrnn search sweep=odds score=transition_tv prune=false": "another score",
            "vrnn search sweep=found trials=40": "twenty more trials",
            "vrnn search --config-dir my search=mine sweep=mine": "a space of your own",
        },
    ),
    "benchmark": Page(
        "measure how fast the engines are",
        "Training steps and generation of the native engine, of plain PyTorch and of torch's nn.GRU, in turn. Leave the "
        "machine alone meanwhile. Writes outputs/benchmark.json.",
        {
            "--only": "beginnings of the workloads' names, as in W1 G1_B64",
            "--threads": "threads of the native engine, one measurement for each",
            "--seconds": "per workload",
            "--curves": "cost and memory over T, B and h, too, with plots",
        },
        {
            "vrnn benchmark": "every workload, five minutes",
            "vrnn benchmark --only W2 G1": "those whose names begin so",
            "vrnn benchmark --threads 1 2": "one thread, then two",
            "vrnn benchmark --seconds 1": "quicker, less exact",
            "vrnn benchmark --curves": "how the cost grows",
        },
    ),
}
COMMANDS = tuple(PAGES)


def general_help() -> str:
    """Return the help of `vrnn`."""
    return "\n".join(
        [
            "VRNN Lab: variational recurrent neural networks on sequences.",
            "",
            "usage: vrnn COMMAND [group=choice …] [setting=value …] [-q | -v]",
            "       vrnn COMMAND --help | vrnn --version | vrnn --completion bash|zsh|fish",
            "",
            *_columns({name: page.summary for name, page in PAGES.items()}),
            "",
            *_examples(
                {
                    "vrnn train experiment=quick": "20 seconds, to look around",
                    "vrnn train -m sweep=mine seed=0,1,2": "a sweep of three runs",
                    "vrnn compare runs=outputs/mine": "its table",
                    "vrnn generate run=outputs/mine/RUN": "traces of one run",
                    'eval "$(vrnn --completion bash)"': "tab completion, in this shell",
                }
            ),
        ]
    )


def command_help(command: str) -> str:
    """Return the help of one command: what it does, its groups, its settings with their defaults, and five examples."""
    page = PAGES[command]
    lines = [f"vrnn {command}: {page.summary}", "", *textwrap.wrap(page.text, WIDTH), ""]
    if command == "benchmark":
        return "\n".join([*lines, *_columns(page.settings), "", *_examples(page.examples), "", OPTIONS])
    dash_m = " [-m]" if command == "train" else ""
    lines += [f"usage: vrnn {command} [group=choice …] [setting=value …]{dash_m} [--config-dir DIR]", ""]
    if chosen := groups.defaults(command):
        lines += ["groups (* is the default)", *_columns({name: _choices(name, chosen[name]) for name in chosen}), ""]
    values = flat(_default_settings(command))
    shown = {f"{key}={_value(values.get(key, '???'))}": text for key, text in page.settings.items()}
    return "\n".join([*lines, "settings (with their defaults)", *_columns(shown), "", *_examples(page.examples), "",
                      f"{OPTIONS}, --cfg job (all settings), --hydra-help (Hydra's)"])  # fmt: skip


def _choices(group: str, default: str | None) -> str:
    return " ".join(f"{choice}*" if choice == default else choice for choice in groups.choices(group))


def _default_settings(command: str) -> dict[str, Any]:
    """Return the settings of a command without overrides: of its schema, its default choices and its YAML."""
    settings = _schema_defaults(SCHEMAS[command])
    for group, choice in groups.defaults(command).items():
        if choice is not None and is_dataclass(get_type_hints(SCHEMAS[command]).get(group)):
            settings[group] |= groups.read(f"{group}/{choice}")
    return settings | {key: value for key, value in groups.read(command).items() if key in settings}


def _schema_defaults(schema: type) -> dict[str, Any]:
    values = {}
    for entry in fields(schema):
        value = entry.default if entry.default_factory is MISSING else entry.default_factory()
        values[entry.name] = _schema_defaults(type(value)) if is_dataclass(value) else value
    return values


def _value(value: Any) -> str:
    if value == "???":
        return "…"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _columns(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows)) + 2
    lines = []
    for name, text in rows.items():
        first, *rest = textwrap.wrap(text, WIDTH - 2 - width) or [""]
        lines += [f"  {name:{width}}{first}".rstrip(), *(" " * (width + 2) + line for line in rest)]
    return lines


def _examples(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows)) + 2
    return ["examples", *(f"  {line:{width}}# {text}" for line, text in rows.items())]
