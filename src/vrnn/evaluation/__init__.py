"""Scores of a model: the bound on held-out traces, the laps and visits of generated traces, the use of the latent variables."""

from vrnn.evaluation.held_out import held_out_scores, particle_scores
from vrnn.evaluation.junctions import choice_entropy, choices, junction_scores, junctions
from vrnn.evaluation.laps import INVALID, UNFINISHED, Lap, LapJudge, judge_the_judge
from vrnn.evaluation.scores import Visit, find_visits, score, truth

__all__ = [
    "INVALID",
    "UNFINISHED",
    "Lap",
    "LapJudge",
    "Visit",
    "choice_entropy",
    "choices",
    "find_visits",
    "held_out_scores",
    "judge_the_judge",
    "junction_scores",
    "junctions",
    "particle_scores",
    "score",
    "truth",
]
