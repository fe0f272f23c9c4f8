"""The studies of docs/results: which runs each one compares, and which claims it can test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrnn.runs.claims import Claim, Condition

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Study:
    """A question that one directory of runs answers by one table.

    Attributes:
        question: The heading.
        key: What the rows differ in: the table's first column.
        rows: The overrides of each row, by its name.
        scores: The table's columns.
        sort: The score that orders the rows; None: they stay in order.
        datasets: The patterns; empty where each row chooses its own.
        fixed: Overrides of all runs.
        short: Further overrides, which shorten the training.
        seeds: Those of `--full`; the page's own where empty. The short form takes the first five.
    """

    question: str
    key: str
    rows: Mapping[str, Sequence[str]]
    scores: Sequence[str]
    sort: str | None = None
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

    def overrides(self, full: bool) -> tuple[str, dict[str, Sequence[str]]]:
        """Return the overrides of all rows in one line of Markdown, and those of each row that is no value of `key`."""
        own = {row: parts for row, parts in self.rows.items() if tuple(parts) != (f"{self.key}={row}",)}
        shared = [*([f"{self.key}=…"] if len(own) < len(self.rows) else []), *self.options(full)]
        said = [f"`{' '.join(shared)}`"] if shared else []
        return " or ".join([*said, *(["as listed below"] if own else [])]), own


def each(key: str, values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return one row per value of a setting."""
    return {value: (f"{key}={value}",) for value in values}


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
RECIPES = ("eye", "eye_free_nats", "eye_gaussian", "circle_triangle_eight", "circle_triangle_eight_mixture")
# What is left of a recipe without one of its ingredients; in place of the wake phase a warm-up of the KL, as without a recipe.
WITHOUT = {
    "eye": {
        "the wake phase": ("w_schedule=linear", "~w_schedule.hold", "~w_schedule.end"),
        "the penalty for unused classes": ("latent.balance=0",),
        "the narrow decoder": ("likelihood.ceiling=null",),
        "the sum over classes": ("latent.estimator=straight_through",),
        "many beginnings": ("data.traces=256", "data.steps=2048"),
        "averaged weights": ("callbacks=none", "optim.final_fraction=0.02"),
        "a least probability of each class": ("latent.uniform=0",),
        "averaged weights and a least probability": ("callbacks=none", "optim.final_fraction=0.02", "latent.uniform=0"),
    },
    "circle_triangle_eight": {
        "the forecast": ("forecast=none",),
        "the wake phase": ("w_schedule=linear",),
        "the narrow decoder": ("likelihood.ceiling=null",),
        "the sum over classes": ("latent.estimator=straight_through",),
        "long memory before training": ("recurrence.chrono=null",),
        "many beginnings": ("data.traces=256", "data.steps=2048"),
    },
}
# The recipe's form at the time of its ablation, where that is not the present one.
ABLATED = {"eye": (), "circle_triangle_eight": ("recurrence.chrono=150", "training.steps=5000")}
# Ingredients whose purpose is the counting of laps, and not the shape of each.
COUNTING = ("the forecast", "long memory before training")
# No z, a mixture of 8 Gaussians, as many weights as the recipe, data and steps as there (as in ABLATED); averaged weights for
# the eye alone.
MIXTURE_RNN = ("experiment=paper_rnn_gmm", "likelihood.ceiling=0.02", "model.h_dim=91", "optim.learning_rate=1e-2")
MIXTURE_RNNS = {
    "eye": (
        "dataset=eye",
        "data.traces=1024",
        "data.steps=512",
        "data.window=64",
        "training.steps=3000",
        "callbacks=ema",
        "optim.final_fraction=0.1",
    ),
    "circle_triangle_eight": (
        "dataset=circle_triangle_eight",
        "data.traces=1024",
        "data.steps=1024",
        "training.steps=5000",
        "recurrence.chrono=150",
        "forecast=points",
    ),
    "five_states": (
        "dataset=five_states",
        "data.traces=1024",
        "data.steps=1024",
        "data.window=160",
        "training.steps=6000",
        "recurrence.chrono=150",
        "forecast=points",
    ),
    "second_order": (
        "dataset=second_order",
        "data.traces=1024",
        "data.steps=1024",
        "data.window=160",
        "training.steps=5000",
        "recurrence.chrono=150",
        "forecast=points",
        "forecast.horizons=[8,16,32,48,64,80]",
    ),
    "rare_state": (
        "dataset=rare_state",
        "data.traces=1024",
        "data.steps=512",
        "data.window=64",
        "data.batch_size=128",
        "training.steps=5000",
    ),
}
# A Gaussian z on the eye, tried with one seed: what each row changes.
GAUSSIAN = {
    "eye_gaussian": ("experiment=eye_gaussian",),
    "smaller batches, longer": ("experiment=eye_gaussian", "data.batch_size=32", "training.steps=8000"),
    "a narrower decoder": ("experiment=eye_gaussian", "likelihood.ceiling=0.01"),
    "a forecast": ("experiment=eye_gaussian", "forecast=points"),
    "a wake phase, 64 samples": (
        "experiment=eye",
        "latent=gaussian",
        "~latent.classes",
        "~latent.uniform",
        "w_schedule.samples=64",
    ),
    "two dimensions of z": ("experiment=eye_gaussian", "model.z_dim=2"),
    "more KL: w = 2": ("experiment=eye_gaussian", "w_schedule.end=2"),
    "a posterior that looks ahead": ("experiment=eye_gaussian", "posterior=smoothing"),
    "a posterior that looks ahead, longer, averaged weights": (
        "experiment=eye_gaussian",
        "posterior=smoothing",
        "callbacks=ema",
        "optim.final_fraction=0.1",
        "training.steps=6000",
    ),
    "noisy inputs": ("experiment=eye_gaussian", "regularisation=input_noise", "regularisation.input_noise=0.02"),
    "a wider decoder network": ("experiment=eye_gaussian", "model.phi_z=[64,64]", "model.decoder=[128,128]"),
}


# The paper's z in a recipe.
GAUSSIANS = {
    "eye": ("experiment=eye_gaussian",),
    "circle_triangle_eight": (
        "experiment=circle_triangle_eight",
        "latent=gaussian",
        "~latent.classes",
        "~latent.balance",
    ),
}


def merged(*overrides: str) -> tuple[str, ...]:
    """Return overrides of which a later one replaces an earlier one of the same setting."""
    return tuple({override.partition("=")[0]: override for override in overrides}.values())


def ablation(recipe: str, seeds: Sequence[int]) -> Study:
    """Return the study of a recipe without each of its ingredients, and of a mixture RNN beside it.

    Args:
        recipe: A key of WITHOUT.
        seeds: Ones with which no recipe was found or tuned.
    """
    form = (f"experiment={recipe}", *ABLATED[recipe])
    without = {f"{recipe} without {what}": merged(*form, *lost) for what, lost in WITHOUT[recipe].items()}
    earlier = f", with `{' '.join(ABLATED[recipe])}`," if ABLATED[recipe] else ""
    return Study(
        f"Which ingredients of the recipe of {recipe}{earlier} are needed, and is z? (Mixture RNN: no z, as many weights.)",
        key="recipe",
        rows={
            recipe: form,
            f"{recipe} by a mixture RNN": (*MIXTURE_RNN, *MIXTURE_RNNS[recipe]),
            f"{recipe} with a Gaussian z": (*GAUSSIANS[recipe], *ABLATED[recipe]),
            **without,
        },
        scores=(*LEARNED, "kl_per_choice_nats"),
        seeds=seeds,
    )


SCHEMES = sorted(path.stem for path in (ROOT / "conf" / "w_schedule").glob("*.yaml") if path.stem != "adaptive")
STUDIES = {
    "recipes": Study(
        "Do our recipes learn the patterns that the blog's could not?",
        key="experiment",
        rows=each("experiment", RECIPES),
        scores=(*LEARNED, "kl_at_junctions_share", "kl_per_choice_nats"),
        sort="invalid_fraction",
        seeds=range(30, 40),  # no recipe was found or tuned with these
    ),
    "harder": Study(
        "Do the recipes learn harder automata: five states, a choice by the state before the last, a rare state, no choice?",
        key="experiment",
        rows=each("experiment", ("five_states", "second_order", "rare_state", "no_choice")),
        scores=(*LEARNED, "kl_per_choice_nats", "two_sample_laps", "two_sample_visits"),
        sort="invalid_fraction",
        fixed=("evaluation.thorough=true",),
        seeds=range(40, 50),  # no recipe was found or tuned with these
    ),
    "harder_mixture": Study(
        "What does a mixture RNN without z, with as many weights, learn of the harder automata?",
        key="automaton",
        rows={name: (*MIXTURE_RNN, *MIXTURE_RNNS[name]) for name in ("five_states", "second_order", "rare_state")},
        scores=(*LEARNED, "two_sample_laps", "two_sample_visits"),
        fixed=("evaluation.thorough=true",),
        seeds=range(40, 45),  # those of harder
    ),
    "ablation": ablation("eye", seeds=range(70, 75)),
    "ablation_circle_triangle_eight": ablation("circle_triangle_eight", seeds=range(80, 85)),
    "gaussian": Study(
        "What makes a Gaussian z draw fewer laps between the two ovals of the eye? One seed each, to find a recipe.",
        key="recipe",
        rows=GAUSSIAN,
        scores=(*ON_EYE, "kl_per_choice_nats"),
        seeds=(61,),
    ),
    "models": Study(
        "Which of the paper's models learns a pattern, with equally many weights and the same training?",
        key="experiment",
        rows=each("experiment", [f"paper_{name}" for name in PAPER]),
        datasets=("eye", "circle_triangle_eight"),
        scores=LEARNED,
        sort="invalid_fraction",
        short=("training.steps=2000",),
    ),
    "schemes": Study(
        "Which schedule of w makes VRNN-Gauss learn the eye, each with the values of its file?",
        key="w_schedule",
        rows=each("w_schedule", SCHEMES),
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss",),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "latents": Study(
        "Which kind of z makes the choice, with a Gaussian hardly wider than the pen's noise?",
        key="latent",
        rows=each("latent", ("gaussian", "categorical", "gaussian_categorical")),
        datasets=("eye",),
        fixed=("experiment=paper_vrnn_gauss", "likelihood.ceiling=0.04", "w_schedule.prior_at_once=true"),
        scores=ON_EYE,
        sort="invalid_fraction",
        short=("training.steps=1200",),
    ),
    "blog": Study(
        "What do the experiments of the blog, its appendix and its earlier posts learn?",
        key="experiment",
        rows=each("experiment", [f"blog_{name}" for name in BLOG]),
        scores=("reconstruction_rmse", *LEARNED),
        sort="reconstruction_rmse",
    ),
}


def needed(recipe: str, ingredient: str) -> Claim:
    """Return the claim that a recipe is worse without one of its ingredients, by what the ingredient is for."""
    without = f"{recipe} without {ingredient}"
    if ingredient in COUNTING:
        worse, condition = "fewer visits with the right laps", Condition(recipe, "laps_right_fraction", ">", without)
    else:
        worse, condition = "more invalid laps", Condition(recipe, "invalid_fraction", "<", without)
    return Claim(
        f"Without {ingredient} the recipe of {recipe} draws {worse}.",
        ABLATIONS[recipe],
        [condition],
        also_shown=[(name, "transition_tv") for name in (recipe, without)],
    )


ABLATIONS = {"eye": "ablation", "circle_triangle_eight": "ablation_circle_triangle_eight"}
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
    *(needed(recipe, ingredient) for recipe, parts in WITHOUT.items() for ingredient in parts),
    *(
        Claim(
            f"z helps: the recipe of {recipe} draws fewer invalid laps than a mixture RNN of equal size.",
            ABLATIONS[recipe],
            [Condition(recipe, "invalid_fraction", "<", f"{recipe} by a mixture RNN")],
            also_shown=[(name, "transition_tv") for name in (recipe, f"{recipe} by a mixture RNN")],
        )
        for recipe in WITHOUT
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
