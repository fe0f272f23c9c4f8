"""The wake loss of one step: prior and decoder learn under Bayes' rule, and the posterior learns to be Bayes' rule.

Reweighted wake-sleep (Bornschein & Bengio 2015, arXiv 1406.2751; Le et al. 2019, arXiv 1805.10469), applied to the z_t of each
step given h_{t-1}. With r(z) proportional to p(z | h) p(x | z, h) and sg the stop of a gradient:

    wake = -log p(x | h) + KL(sg r || q)
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor


class WakeTerms(NamedTuple):
    """The two terms of the wake loss at each step, in nats.

    Attributes:
        nll: -log p(x_t | h_{t-1}), (T, B): trains prior and decoder.
        kl: KL(sg r || q), (T, B): trains the posterior.
    """

    nll: Tensor
    kl: Tensor


def summed_wake_terms(log_x: Tensor, log_p: Tensor, log_q: Tensor) -> WakeTerms:
    """Return the wake terms of a z with finitely many values, summed over them.

    Args:
        log_x: log p(x | z = k, h), (K, T, B).
        log_p: log p(z = k | h), (K, T, B).
        log_q: log q(z = k | x, h), (K, T, B).
    """
    joint = log_x + log_p
    nll = -joint.logsumexp(0)
    log_r = joint.detach().log_softmax(0)
    kl = (log_r.exp() * (log_r - log_q)).sum(0)
    return WakeTerms(nll, kl)


def sampled_wake_terms(log_x: Tensor, log_p: Tensor, log_q: Tensor) -> WakeTerms:
    """Estimate the wake terms from K samples of q, importance weighted.

    nll is -log 1/K sum_k p(z_k) p(x | z_k) / q(z_k), an upper bound of -log p(x | h) on average; kl weighs log r / q by the
    normalised weights. Their gradients are those of reweighted wake-sleep: samples and weights carry none.

    Args:
        log_x: log p(x | z_k, h), (K, T, B).
        log_p: log p(z_k | h), (K, T, B).
        log_q: log q(z_k | x, h), (K, T, B), of samples that carry no gradient.
    """
    log_weights = log_x + log_p - log_q.detach()
    log_mean = log_weights.logsumexp(0) - math.log(len(log_weights))
    weights = log_weights.detach().softmax(0)
    kl = (weights * ((log_x + log_p).detach() - log_q)).sum(0) - log_mean.detach()
    return WakeTerms(-log_mean, kl)
