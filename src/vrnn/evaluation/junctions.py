"""Where along a trace the latent variables work: at the junctions, where the automaton makes its choices, or anywhere?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.evaluation.held_out import ratio
from vrnn.evaluation.laps import lap_begins
from vrnn.patterns import Automaton, Trace

AFTER = 3  # steps after a junction that still belong to it: by then a pen has shown which curve it follows
SCORES = (
    "kl_at_junctions_share",
    "kl_at_junctions_share_se",
    "steps_at_junctions_share",
    "kl_per_choice_nats",
    "kl_per_choice_nats_se",
    "choice_entropy_nats",
)

Steps = NDArray[np.int64]


def junctions(trace: Trace) -> Steps:
    """Return the junctions (n,): the steps at which a new lap begins; not step 0, and none where laps are not known."""
    return lap_begins(trace)[1:]


def choices(trace: Trace, automaton: Automaton) -> Steps:
    """Return the junctions (n,) at which the automaton chose: a visit ends there whose row of the matrix has entropy > 0.

    circle_triangle_eight: what follows the circle's or the eight's last lap, or any first lap of two, is no choice; what
    follows the triangle's last lap is. trace: one that begins with a visit, as `Pen.draw` makes it. With `crossing: line`
    a choice shows within a lap, where the pen leaves the curve, and not at a junction: there are none.
    """
    if automaton.crossing:
        return np.empty(0, dtype=np.int64)
    begins, open_ended = lap_begins(trace), row_entropies(automaton) > 0.0
    found, lap = [], 0
    while lap < len(begins):
        state = trace.state[begins[lap]]
        lap += int(automaton.laps[state])
        if lap < len(begins) and open_ended[state]:
            found.append(begins[lap])
    return np.array(found, dtype=np.int64)


def row_entropies(automaton: Automaton) -> NDArray[np.float64]:
    """Return the entropy (n,) of what follows a visit to each state, in nats."""
    p = automaton.matrix
    entropies: NDArray[np.float64] = -(p * np.log(np.where(p > 0.0, p, 1.0))).sum(axis=1)
    return entropies


def choice_entropy(automaton: Automaton) -> float | None:
    """Return the mean entropy of a choice in nats, choices weighing as the automaton meets them in the long run.

    sum_i s_i H_i / sum_i s_i [H_i > 0], with s the stationary shares of visits and H the rows' entropies. It is the least
    that a z which alone makes the choice must carry. None: nothing is ever chosen.
    """
    entropies, visits = row_entropies(automaton), automaton.stationary
    chosen = float(visits[entropies > 0.0].sum())
    return float(visits @ entropies) / chosen if chosen > 0.0 else None


def junction_scores(
    kl: Tensor, mask: Tensor, traces: Sequence[Trace], automaton: Automaton | None
) -> dict[str, float | None]:
    """Return how much of the KL lies at the junctions of held-out traces, and how much at a choice, ready for JSON.

    A junction's steps are the one at which a lap begins and the AFTER = 3 that follow.

    kl_at_junctions_share: KL at all junctions / KL at all steps. steps_at_junctions_share: the same share of the steps, which
        is what a KL spread evenly would give.
    kl_per_choice_nats: mean KL at a junction at which the automaton chose, see `choices`; those observed at each of their
        steps count.
    choice_entropy_nats: what it would be if z carried the choices and nothing else, see `choice_entropy`.
    <key>_se: standard errors of the estimates over traces, None for one trace.

    kl: (T, B, groups) in nats; mask: (T, B), False where nothing was observed; traces: the B traces. What cannot be told is
    None: everything without an automaton, what concerns z without a latent variable (groups = 0).
    """
    scores: dict[str, float | None] = dict.fromkeys(SCORES)
    if automaton is None:
        return scores
    at_junctions = torch.stack([_near(junctions(trace), len(mask)) for trace in traces], dim=1).to(mask.device) & mask
    scores["steps_at_junctions_share"], _ = ratio(at_junctions.sum(0), mask.sum(0))
    scores["choice_entropy_nats"] = choice_entropy(automaton)
    if not kl.shape[-1]:
        return scores
    nats = torch.where(mask, kl.sum(-1), 0.0).double()
    share = ratio((nats * at_junctions).sum(0), nats.sum(0))
    at_choices, count = torch.zeros(2, len(traces), dtype=torch.float64)
    for b, trace in enumerate(traces):
        near = torch.as_tensor(_windows(choices(trace, automaton)))
        near = near[near[:, -1] < len(mask)]
        near = near[mask[near, b].all(dim=1)]
        at_choices[b], count[b] = nats[near, b].sum(), len(near)
    for key, estimate in (("kl_at_junctions_share", share), ("kl_per_choice_nats", ratio(at_choices, count))):
        scores[key], scores[f"{key}_se"] = estimate
    return scores


def _near(begins: Steps, steps: int) -> Tensor:
    """Return which of `steps` steps (steps,) belong to a junction."""
    return torch.as_tensor(np.isin(np.arange(steps), _windows(begins)))


def _windows(begins: Steps) -> Steps:
    """Return the steps (n, AFTER + 1) of each junction."""
    return np.add.outer(begins, np.arange(AFTER + 1))
