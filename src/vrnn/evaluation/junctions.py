"""How much of the KL is found at the junctions of a trace, where the automaton makes its choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrnn.evaluation.held_out import ratio
from vrnn.evaluation.laps import lap_begins
from vrnn.patterns import Automaton, Trace

AFTER = 3  # steps after a junction that still belong to it: they show which curve the pen follows
SCORES = (
    "kl_at_junctions_share",
    "kl_at_junctions_share_se",
    "steps_at_junctions_share",
    "kl_per_choice_nats",
    "kl_per_choice_nats_se",
    "choice_entropy_nats",
    "choice_nats_per_step",
)

Steps = NDArray[np.int64]


def junctions(trace: Trace) -> Steps:
    """Return the junctions of a trace, (n,): the steps at which a new lap begins, without step 0; none if laps are unknown."""
    return lap_begins(trace)[1:]


def choices(trace: Trace, automaton: Automaton) -> Steps:
    """Return the junctions at which the automaton makes a choice.

    These are the ends of visits to states with more than one possible successor. Example circle_triangle_eight, with two laps
    per visit: after the first lap of any visit there is no choice, and none after the last lap of the circle or the eight,
    which have one successor. After the last lap of the triangle there is one.

    With `crossing: line` a choice shows inside a lap, where the pen leaves the curve, and not at a junction.

    Args:
        trace: A trace that begins with a visit, as those of `Pen.draw` do.
        automaton: The automaton that drew it.

    Returns:
        The steps (n,); none where `crossing` is `line`.
    """
    if automaton.crossing:
        return np.empty(0, dtype=np.int64)
    begins, has_choice = lap_begins(trace), row_entropies(automaton) > 0.0
    found, lap = [], 0
    while lap < len(begins):
        state = trace.state[begins[lap]]
        lap += int(automaton.laps[state])
        if lap < len(begins) and has_choice[state]:
            found.append(begins[lap])
    return np.array(found, dtype=np.int64)


def row_entropies(automaton: Automaton) -> NDArray[np.float64]:
    """Return the entropy of each state's successor, (n,) in nats: H_i = -sum_j P_ij log P_ij."""
    p = automaton.matrix
    entropies: NDArray[np.float64] = -(p * np.log(np.where(p > 0.0, p, 1.0))).sum(axis=1)
    return entropies


def choice_entropy(automaton: Automaton) -> float | None:
    """Return the mean entropy of a choice in the long run, in nats.

    It is sum_i s_i H_i / sum_i s_i [H_i > 0], where s_i is the state's long-run share of the visits and H_i the entropy of its
    successor. If z alone decides what comes next, this is the smallest possible KL per choice.

    Returns:
        The entropy; None if no state has more than one successor.
    """
    entropies, visits = row_entropies(automaton), automaton.stationary
    share = float(visits[entropies > 0.0].sum())
    return float(visits @ entropies) / share if share > 0.0 else None


def junction_scores(
    kl: Tensor, mask: Tensor, traces: Sequence[Trace], automaton: Automaton | None
) -> dict[str, float | None]:
    """Return how much of the KL is found at the junctions of held-out traces, and how much per choice, ready for JSON.

    The steps of a junction are the one at which a lap begins and the AFTER = 3 that follow. A score is None where it is
    undefined: all without an automaton, those of the KL without a latent variable.

    Args:
        kl: (T, B, groups), in nats.
        mask: (T, B), False where nothing is observed.
        traces: The B traces.
        automaton: The automaton that drew them; None if there is none.

    Returns:
        The scores by name:

        - kl_at_junctions_share: KL at the steps of junctions / KL at all steps.
        - steps_at_junctions_share: Steps of junctions / all steps, which is the share of a KL that is the same at all steps.
        - kl_per_choice_nats: KL at the steps of choices (see `choices`) / number of choices, in nats per choice. Only choices
          whose steps are all observed count.
        - choice_entropy_nats: What kl_per_choice_nats would be if z carried the choices and nothing else, see `choice_entropy`.
        - choice_nats_per_step: The entropies of the choices that the automaton made in these traces / steps. It is the rate at
          which the true process makes information: what kl_nats_per_step would be if z carried the choices and nothing else.
        - <key>_se: The standard error of an estimate over traces, see `ratio`; None for one trace.
    """
    scores: dict[str, float | None] = dict.fromkeys(SCORES)
    if automaton is None:
        return scores
    at_junctions = (
        torch.stack([_is_near(junctions(trace), len(mask)) for trace in traces], dim=1).to(mask.device) & mask
    )
    scores["steps_at_junctions_share"], _ = ratio(at_junctions.sum(0), mask.sum(0))
    scores["choice_entropy_nats"] = choice_entropy(automaton)
    scores["choice_nats_per_step"] = _information_rate(mask, traces, automaton)
    if not kl.shape[-1]:
        return scores
    nats = torch.where(mask, kl.sum(-1), 0.0).double()
    share = ratio((nats * at_junctions).sum(0), nats.sum(0))
    per_choice = ratio(*_kl_at_choices(nats, mask, traces, automaton))
    for key, estimate in (("kl_at_junctions_share", share), ("kl_per_choice_nats", per_choice)):
        scores[key], scores[f"{key}_se"] = estimate
    return scores


def _information_rate(mask: Tensor, traces: Sequence[Trace], automaton: Automaton) -> float | None:
    """Return the entropies of the observed choices of traces / observed steps, in nats; None with `crossing: line`."""
    if automaton.crossing:
        return None
    entropies, total = row_entropies(automaton), 0.0
    for b, trace in enumerate(traces):
        steps = choices(trace, automaton)
        total += float(entropies[trace.state[steps - 1]][mask[steps, b].cpu().numpy()].sum())
    return total / float(mask.sum())


def _kl_at_choices(nats: Tensor, mask: Tensor, traces: Sequence[Trace], automaton: Automaton) -> tuple[Tensor, Tensor]:
    """Return each trace's KL at its observed choices, (B,) in nats, and their number, (B,)."""
    total, count = torch.zeros(2, len(traces), dtype=torch.float64)
    for b, trace in enumerate(traces):
        steps = torch.as_tensor(_junction_steps(choices(trace, automaton)))
        steps = steps[steps[:, -1] < len(mask)]
        steps = steps[mask[steps, b].all(dim=1)]
        total[b], count[b] = nats[steps, b].sum(), len(steps)
    return total, count


def _is_near(begins: Steps, steps: int) -> Tensor:
    """Return which of `steps` steps (steps,) belong to a junction."""
    return torch.as_tensor(np.isin(np.arange(steps), _junction_steps(begins)))


def _junction_steps(begins: Steps) -> Steps:
    """Return the steps of each junction, (n, AFTER + 1)."""
    return np.add.outer(begins, np.arange(AFTER + 1))
