"""The evaluation of a finished model: on held-out traces, on traces it generates, and of the judge itself on true ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from vrnn import plots
from vrnn.checks import check_choice, require
from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import TraceSet
from vrnn.evaluation import (
    UNFINISHED,
    LapJudge,
    held_out_scores,
    junction_scores,
    junctions,
    particle_scores,
    score,
    truth,
)
from vrnn.evaluation.choice_kl import choice_parts
from vrnn.evaluation.classes import class_scores
from vrnn.evaluation.coverage import coverage
from vrnn.evaluation.drawings import drawing_scores
from vrnn.evaluation.latent_usage import infer_held_out, prior_along
from vrnn.evaluation.nearest import nearest_lap_ratio
from vrnn.evaluation.process import process_scores
from vrnn.evaluation.two_sample import two_sample_scores
from vrnn.evaluation.warning_signs import find_warnings
from vrnn.model.inference import Inference
from vrnn.model.vrnn import VRNN
from vrnn.networks import SeriesCondition
from vrnn.networks.condition import of_steps, of_traces, repeat_traces
from vrnn.objective.latents import CategoricalLatent
from vrnn.objective.w_schedules import WSchedule
from vrnn.patterns import AutomatonPattern, ClassesPattern, Pattern, PianoRolls, Trace
from vrnn.patterns.recorded import RecordedPattern
from vrnn.patterns.strokes import end_drawings
from vrnn.patterns.trace import Split
from vrnn.plots.sequences import SEQUENCE_PLOTS
from vrnn.runs.pattern import as_config_error

FAN = 20  # ways in which a series is continued
REMEMBERED = 20  # training sequences that are looked at
GRID_STEPS = 512  # steps of each generated trace that the grid of samples shows
ROLL_STEPS = 160  # steps of a piano roll that is shown beside its reconstruction
LATENT_STEPS = 300  # steps of a trace that the figure of the latent variables shows

WIDTHS = {"plane": 2, "strokes": 3}  # x_dim of sequences that are plotted as lines

Judge = LapJudge | dict[str, LapJudge] | None  # of a pattern of classes: one per label
Scores = dict[str, Any]
Figures = dict[str, Figure]
Array = NDArray[np.float64]


@dataclass
class Evaluation:
    """The result of an evaluation.

    Attributes:
        scores: Ready for JSON. `generated` and `truth` are there where an automaton says what is true; `judge` is the same
            score on as many fresh true traces: what a perfect model would get. `warnings`: see `find_warnings`.
        figures: By name, what the scores were computed on.
        sample: One generated trace, (T, x_dim).
    """

    scores: Scores
    figures: Figures
    sample: Array


def prepare_evaluation(pattern: Pattern, data: TraceDataModule, seed: int) -> Judge:
    """Make what an evaluation needs beside the model, so that what cannot be evaluated is refused before it is trained.

    Args:
        pattern: What is learned.
        data: Holds the test traces.
        seed: Of the judge's true traces.

    Returns:
        The judge of laps, or one per class; None where no automaton says what is true.

    Raises:
        ConfigError: There are no test traces to score, the laps cannot be judged, or sequences of this width not plotted.
    """
    with as_config_error():
        check_choice("form of the pattern", pattern.form, tuple(SEQUENCE_PLOTS))
        width, fix = WIDTHS.get(pattern.form, pattern.x_dim), "give its class the form 'series'"
        require(
            pattern.x_dim == width, f"x_dim of a pattern of the form {pattern.form}", str(width), pattern.x_dim, fix
        )
        TraceSet(data.traces("test"))
        if isinstance(pattern, ClassesPattern):
            return {label: LapJudge.calibrate(one, seed=seed) for label, one in pattern.classes.items()}
        if not isinstance(pattern, AutomatonPattern):
            return None
        require(pattern.x_dim == 2, "x_dim of a pattern whose laps are judged", "2", pattern.x_dim)
        return LapJudge.calibrate(pattern, seed=seed)


def evaluate(
    vrnn: VRNN,
    w_schedule: WSchedule,
    pattern: Pattern,
    traces: Callable[[Split], list[Trace]],
    judge: Judge,
    options: dict[str, Any],
    seed: int,
) -> Evaluation:
    """Score a model on held-out traces and on traces it generates.

    Args:
        vrnn: The model; it is left in eval mode.
        w_schedule: As training left it.
        pattern: What it learned.
        traces: Returns those of a split. Scores are of the test traces, but for one ELBO of the validation traces, by which
            settings may be chosen, and for what is compared with the training traces.
        judge: As `prepare_evaluation` returned it.
        options: `traces` to generate, `steps` in each, `sample`: whether their points are drawn or are the decoder's means,
            `particles` of the bounds IWAE and FIVO (None: without them), `thorough`: whether to add what `thorough_scores`
            returns.
        seed: Of all noise.
    """
    vrnn.eval()
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    test = traces("test")
    held_out = TraceSet(test)
    x, mask = held_out.x.to(generator.device), held_out.mask.to(generator.device)
    condition = None if held_out.condition is None else held_out.condition.to(generator.device)
    scores: Scores = held_out_scores(vrnn, x, mask, generator, condition, classes_of(pattern, test))
    scores["val_elbo_nats_per_step"] = elbo_of(vrnn, traces("val"), seed)
    if isinstance(pattern, RecordedPattern):
        # Far above the ELBO of held-out sequences, that of training sequences is memory.
        some = pattern.draw("train", REMEMBERED, len(x), np.random.default_rng(seed))[:REMEMBERED]
        scores["train_elbo_nats_per_step"] = elbo_of(vrnn, [trace for trace in some if trace.observed.any()], seed)
    if options["particles"]:
        # A generator of its own, so that no other score depends on the number of particles.
        particle_generator = torch.Generator(device=vrnn.device).manual_seed(seed)
        scores |= particle_scores(vrnn, x, mask, options["particles"], particle_generator, condition)
    n, steps = options["traces"], options["steps"]
    if pattern.form in ("image", "series"):
        steps = min(
            steps, len(x)
        )  # an image has no more rows than the others; beyond its data's length a series may drift
    asked, steps = ask(vrnn, held_out, n, steps)
    generated = vrnn.generate(n, steps, sample=options["sample"], generator=generator, condition=asked)
    drawn = generated.transpose(0, 1).double().cpu().numpy()
    cut, ended = end_drawings(drawn, pattern.units.strokes, np.random.default_rng(seed))
    if pattern.units.strokes:
        data = [trace.points for trace in test]
        scores["drawings"] = drawing_scores(list(cut), ended.tolist(), data, pattern.units.strokes)
    figures = sample_figures(pattern, test, cut)
    inferred, observed = infer_held_out(vrnn, held_out, seed)
    kl = vrnn.latent.kl(inferred.q, inferred.p)
    if pattern.form == "series" and vrnn.coordinates.predicts == "this":
        figures["continued"] = continued_figure(vrnn, pattern, test[0], seed)
    if isinstance(pattern, PianoRolls):
        scores["constant_nats_per_step"] = pattern.constant_nats_per_step()
        figures["reconstructed"] = reconstructed_figure(vrnn, test[0], drawn[0], seed)
    automaton = pattern.automaton if isinstance(pattern, AutomatonPattern) else None
    scores |= junction_scores(kl, observed, test, automaton)
    if automaton is not None and isinstance(vrnn.latent, CategoricalLatent) and vrnn.latent.variables == 1:
        log_q, log_p = (dist[0][..., 0, :] for dist in (inferred.q, inferred.p))
        scores |= choice_parts(log_q, log_p, observed, test, automaton)
    drawn_marks: plots.Marks = []
    if asked is not None and vrnn.condition.labels:
        figures["classes"] = classes_figure(pattern, cut, asked.tolist())
    if isinstance(pattern, ClassesPattern) and isinstance(judge, dict) and asked is not None:
        true = pattern.draw("test", n, steps, np.random.default_rng([seed, n, steps]))
        found = class_scores(list(drawn), asked.tolist(), judge)
        scores["condition_right"] = found["condition_right"]
        for label, own in found["classes"].items():
            scores["classes"].setdefault(label, {}).update(own)
        scores["judge"] = class_scores([trace.points for trace in true], [trace.label for trace in true], judge)
    if isinstance(pattern, AutomatonPattern) and isinstance(judge, LapJudge):
        lap_scores, lap_figures, drawn_marks = evaluate_laps(pattern, judge, drawn, seed)
        scores |= lap_scores
        figures |= lap_figures
    if options["thorough"]:
        scores["thorough"] = thorough_scores(vrnn, inferred, pattern, traces, judge, drawn, seed)
    if vrnn.latent.groups:
        figures["latent"] = latent_figure(
            vrnn,
            pattern,
            test[0],
            kl[:, 0],
            drawn[0],
            drawn_marks,
            seed,
            of_steps(of_traces(asked, slice(1)), 0, LATENT_STEPS),
        )
    scores["warnings"] = find_warnings(vrnn, w_schedule, scores, x, mask, drawn, seed, condition)
    return Evaluation(scores, figures, drawn[0, :GRID_STEPS])


def elbo_of(vrnn: VRNN, traces: list[Trace], seed: int) -> float | None:
    """Return the ELBO of traces, in nats per step, by noise of its own: no other score depends on it."""
    some = TraceSet(traces)
    condition = None if some.condition is None else some.condition.to(vrnn.device)
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    found = held_out_scores(vrnn, some.x.to(vrnn.device), some.mask.to(vrnn.device), generator, condition)
    elbo: float | None = found["elbo_nats_per_step"]
    return elbo


def classes_of(pattern: Pattern, traces: list[Trace]) -> dict[str, list[int]] | None:
    """Return the indices of the traces of each class, by its label, without classes of which there are none.

    Returns:
        The indices; None where traces have no classes.
    """
    if not pattern.units.labels:
        return None
    of_class = {
        label: [i for i, one in enumerate(traces) if one.label == k] for k, label in enumerate(pattern.units.labels)
    }
    return {label: own for label, own in of_class.items() if own}


def ask(vrnn: VRNN, held_out: TraceSet, n: int, steps: int) -> tuple[Tensor | None, int]:
    """Return what n generated traces are conditioned on, and how many steps they have.

    Labels are taken in turn. Exogenous series are those of held-out traces of at least so many steps, in turn, or of the
    longest one where all are shorter.

    Args:
        vrnn: The model.
        held_out: The held-out traces.
        n: The number of traces to generate.
        steps: The number of steps that is wanted.
    """
    if vrnn.condition.labels:
        return torch.arange(n, device=vrnn.device) % len(vrnn.condition.labels), steps
    if not isinstance(vrnn.condition, SeriesCondition) or held_out.condition is None:
        return None, steps
    steps = min(steps, int(held_out.lengths.max()))
    long = (held_out.lengths >= steps).nonzero().flatten()
    chosen = long[torch.arange(n) % len(long)]
    return held_out.condition[:steps, chosen].to(vrnn.device), steps


def sample_figures(pattern: Pattern, test: list[Trace], drawn: Array) -> Figures:
    """Plot true beside generated sequences, drawn (n, T, x_dim) (series in the units of the data), and a grid of the latter."""
    sequence_plots = SEQUENCE_PLOTS[pattern.form]
    shown = min(sequence_plots.per_panel, len(test), len(drawn))
    true_points = [trace.points for trace in test[:shown]]
    panels = {"true": true_points, "generated from the prior": list(drawn[:shown])}
    samples = sequence_plots.plot_grid(drawn[: sequence_plots.per_grid, :GRID_STEPS])
    samples.suptitle(f"generated from the prior, up to {GRID_STEPS} steps", fontsize=9)
    if pattern.form != "series":
        return {"true_and_generated": sequence_plots.plot_panels(panels), "samples": samples}
    in_units = {title: [pattern.units.to_units(one) for one in shown] for title, shown in panels.items()}
    return {"true_and_generated": plots.plot_series(in_units, pattern.units.names), "samples": samples}


def classes_figure(pattern: Pattern, drawn: Array, asked: list[int]) -> Figure:
    """Plot generated sequences (n, T, x_dim), one row per class that was asked for."""
    names = pattern.units.labels
    columns = 2 if pattern.form == "series" else len(names)  # of the grid
    by_class = [[i for i, label in enumerate(asked) if label == row][:columns] for row in range(len(names))]
    shown = [i for row in by_class for i in row]
    return SEQUENCE_PLOTS[pattern.form].plot_grid(drawn[shown, :GRID_STEPS], [names[asked[i]] for i in shown])


def continued_figure(vrnn: VRNN, pattern: Pattern, held_out: Trace, seed: int) -> Figure:
    """Plot a held-out series, its reconstruction, and how the model continues its first half, in the units of the data."""
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    points = held_out.points[:GRID_STEPS]
    begin = max(1, len(points) // 2)
    parameter = next(vrnn.parameters())
    x = torch.as_tensor(points).to(parameter)[:, None].expand(-1, FAN, -1)
    observed = torch.as_tensor(held_out.observed[:GRID_STEPS], device=vrnn.device)[:, None].expand(-1, FAN)
    first_half = observed & (torch.arange(len(points), device=vrnn.device) < begin)[:, None]
    condition = TraceSet([held_out]).condition
    condition = None if condition is None else of_steps(condition.to(vrnn.device), 0, GRID_STEPS)
    reconstructed = vrnn.reconstruct(x[:, :1], observed[:, :1], generator, condition)
    filled = vrnn.impute(x, first_half, generator, condition=repeat_traces(condition, FAN))
    reconstruction, samples = (
        pattern.units.to_units(part.transpose(0, 1).double().cpu().numpy()) for part in (reconstructed, filled)
    )
    truth = np.where(held_out.observed[:GRID_STEPS, None], pattern.units.to_units(points), np.nan)
    return plots.plot_fan(truth, reconstruction[0], samples, begin, pattern.units.names)


def reconstructed_figure(vrnn: VRNN, held_out: Trace, drawn: Array, seed: int) -> Figure:
    """Plot the beginning of a held-out piano roll, the decoder's probabilities along it, and a generated one, drawn (T, 88)."""
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    points = held_out.points[:ROLL_STEPS]
    x = torch.as_tensor(points).to(next(vrnn.parameters()))[:, None]
    observed = torch.as_tensor(held_out.observed[:ROLL_STEPS], device=vrnn.device)[:, None]
    reconstructed = vrnn.reconstruct(x, observed, generator)[:, 0].double().cpu().numpy()
    panels = {"truth": points, "reconstruction": reconstructed, "generated from the prior": drawn[:ROLL_STEPS]}
    return plots.plot_rolls(panels)


def evaluate_laps(
    pattern: AutomatonPattern, judge: LapJudge, drawn: Array, seed: int
) -> tuple[Scores, Figures, plots.Marks]:
    """Judge generated traces, drawn (n, T, 2), lap by lap; return scores, figures and where the first trace's laps begin."""
    n, steps, _ = drawn.shape
    true = pattern.draw("test", n, steps, np.random.default_rng([seed, n, steps]))
    generated_scores = score(list(drawn), judge)
    laps = [lap for lap in judge.judge(drawn[0]) if lap.piece != UNFINISHED]
    names = pattern.automaton.names
    model, errors = (
        np.array([[generated_scores[key][a][b] for b in names] for a in names], dtype=float)  # None becomes NaN
        for key in ("transition_matrix", "transition_matrix_se")
    )
    scores = {
        "generated": generated_scores,
        "truth": truth(pattern.automaton),
        "judge": score([trace.points for trace in true], judge),
    }
    figures = {
        "laps": plots.plot_laps(drawn[0], laps),
        "transitions": plots.plot_transitions(names, pattern.automaton.matrix, model, errors),
    }
    return scores, figures, [(lap.start, lap.label) for lap in laps]


def thorough_scores(
    vrnn: VRNN,
    inferred: Inference,
    pattern: Pattern,
    traces: Callable[[Split], list[Trace]],
    judge: Judge,
    drawn: Array,
    seed: int,
) -> Scores:
    """Return the scores that take some seconds: `coverage`, `two_sample_scores`, `process_scores`, `nearest_lap_ratio`.

    Args:
        vrnn: The model.
        inferred: Its inference along held-out traces.
        pattern: What it learned.
        traces: Returns those of a split; the training traces are what generated laps may be copies of.
        judge: None: coverage alone.
        drawn: Generated traces, (n, T, 2).
        seed: Of all noise.
    """
    scores: Scores = dict(coverage(vrnn, inferred, seed))
    if isinstance(pattern, AutomatonPattern) and isinstance(judge, LapJudge):
        n, steps, _ = drawn.shape
        # True traces of their own: not those that the scores under `judge` are of.
        true = [trace.points for trace in pattern.draw("test", n, steps, np.random.default_rng([seed, n, steps, 1]))]
        scores |= two_sample_scores(list(drawn), true, judge, seed) | process_scores(list(drawn), true, judge)
        train = [trace.points for trace in traces("train")]
        scores["nearest_lap_ratio"] = nearest_lap_ratio(list(drawn), true, train, judge)
    return scores


def latent_figure(
    vrnn: VRNN,
    pattern: Pattern,
    held_out: Trace,
    kl: Tensor,
    drawn: Array,
    drawn_marks: plots.Marks,
    seed: int,
    condition: Tensor | None = None,
) -> Figure:
    """Plot the KL along a held-out trace, (T, groups), above the prior along a generated one, drawn (T, x_dim).

    `condition` is that of the generated trace, at the steps that are shown.
    """
    prior = prior_along(vrnn, drawn[:LATENT_STEPS], seed, condition)
    marks = [(step, pattern.names[held_out.state[step]]) for step in junctions(held_out)]
    kl_per_step = kl[:LATENT_STEPS].sum(-1).double().cpu().numpy()
    return plots.plot_latent(kl_per_step, marks, plots.spreads(prior), drawn_marks)
