"""How much of the KL at a choice says which state comes next, and how much says anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import rel_entr
from torch import Tensor

from vrnn.evaluation.held_out import ratio
from vrnn.evaluation.junctions import AFTER, Steps, choices
from vrnn.patterns import Automaton, Trace


def choice_parts(
    log_q: Tensor, log_p: Tensor, mask: Tensor, traces: Sequence[Trace], automaton: Automaton
) -> dict[str, float | None]:
    """Divide the KL at choices by the chain rule, for one categorical z per step.

    At each step after a choice every class of z belongs to the state that follows when it is drawn: to the one with the most
    nats (a class that is never used: to the first). With Q(s) the sum of q over the classes of state s, and P(s) likewise,

        KL(q || p) = KL(Q || P) + sum_s Q(s) KL(q(. | s) || p(. | s))

    exactly. The first term is about the choice; the second about what else z tells, such as where between two steps the pen
    passes a corner.

    Args:
        log_q: Logarithms of the posterior's probabilities, (T, B, classes).
        log_p: Of the prior's, likewise.
        mask: (T, B), False where nothing is observed.
        traces: The B traces.
        automaton: The automaton that drew them.

    Returns:
        The scores by name, in nats per choice; None without an observed choice:

        - kl_per_choice_outcome_nats: The first term.
        - kl_per_choice_rest_nats: The second.
        - <key>_se: The standard error over traces.
        - choice_information_nats: The mutual information between z and the state that follows, given the state before, at the
          step after a choice where it is largest. At most the entropy of the choice; a plug-in estimate.
    """
    found = [_observed_choices(trace, automaton, mask[:, b]) for b, trace in enumerate(traces)]
    owner = np.repeat(np.arange(len(traces)), [len(steps) for steps in found])
    begins = np.concatenate(found)
    before, following = (
        np.array([traces[b].state[t + k] for b, t in zip(owner.tolist(), begins, strict=True)]) for k in (-1, 0)
    )
    at_choices = np.add.outer(np.arange(AFTER + 1), begins)
    # (AFTER + 1, choices, classes), in double precision: in single exp(-105) is 0, and the KL would be infinite.
    at_q, at_p = (logs.double().exp().cpu().numpy()[at_choices, owner] for logs in (log_q, log_p))
    total, outcome = np.zeros((2, len(begins)))
    information = np.zeros(AFTER + 1)
    for offset in range(AFTER + 1):
        for source in np.unique(before):
            here = before == source
            nats = rel_entr(at_q[offset, here], at_p[offset, here]).sum(-1)
            follows = np.eye(len(automaton.names))[following[here]]
            state_of = ((nats[:, None] * at_q[offset, here]).T @ follows).argmax(1)  # of each class
            groups = np.eye(len(automaton.names))[state_of]
            joint = at_q[offset, here].T @ follows / len(begins)
            information[offset] += rel_entr(joint, np.outer(joint.sum(1), joint.sum(0)) / joint.sum()).sum()
            total[here] += nats
            outcome[here] += rel_entr(at_q[offset, here] @ groups, at_p[offset, here] @ groups).sum(-1)
    count = torch.tensor([len(steps) for steps in found])
    scores: dict[str, float | None] = {}
    for name, part in (("outcome", outcome), ("rest", total - outcome)):
        key = f"kl_per_choice_{name}_nats"
        of_traces = torch.as_tensor(np.bincount(owner, part, len(traces)))
        scores[key], scores[f"{key}_se"] = ratio(of_traces, count)
    scores["choice_information_nats"] = float(information.max()) if len(begins) else None
    return scores


def _observed_choices(trace: Trace, automaton: Automaton, mask: Tensor) -> Steps:
    """Return the choices of a trace whose steps are all observed, (n,)."""
    observed = mask.cpu().numpy()
    steps = choices(trace, automaton)
    whole = [t + AFTER < len(observed) and bool(observed[t : t + AFTER + 1].all()) for t in steps]
    return steps[np.array(whole, dtype=bool)]
