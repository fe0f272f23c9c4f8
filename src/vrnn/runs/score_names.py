"""The scores that runs are compared by, and where they stand in scores.json."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """Where a score stands in scores.json, and which way is better."""

    path: tuple[str, ...]
    higher_is_better: bool = True


SCORE = {
    "elbo_nats_per_step": Score(("elbo_nats_per_step",)),
    "val_elbo_nats_per_step": Score(("val_elbo_nats_per_step",)),
    "kl_nats_per_step": Score(("kl_nats_per_step",)),
    "log_likelihood_nats_per_step": Score(("log_likelihood_nats_per_step",)),
    "invalid_fraction": Score(("generated", "invalid_fraction"), higher_is_better=False),
    "transition_tv": Score(("generated", "transition_tv"), higher_is_better=False),
    "reconstruction_rmse": Score(("reconstruction_rmse",), higher_is_better=False),
    "laps_right_fraction": Score(("generated", "laps_right_fraction")),
    "strokes_right_fraction": Score(("drawings", "strokes_right_fraction")),
    "kl_at_junctions_share": Score(("kl_at_junctions_share",)),
    "kl_per_choice_nats": Score(("kl_per_choice_nats",)),
    "active_dims": Score(("active_dims",)),
    "two_sample_laps": Score(("thorough", "two_sample_laps"), higher_is_better=False),
    "two_sample_visits": Score(("thorough", "two_sample_visits"), higher_is_better=False),
}
