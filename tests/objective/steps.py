"""Training steps made up for schedules: their terms, and the same in plain floats."""

import torch

from vrnn.objective import Terms
from vrnn.objective.wake import WakeTerms

T, B, Z = 5, 3, 2


def terms_of(distortion, kl, mask=None):
    """Terms whose two sides are the KL itself, each with a gradient of its own; the wake terms are constants of their own."""
    wake = WakeTerms(torch.full_like(distortion, 3.0), torch.full_like(distortion, 0.5))
    return Terms(distortion, kl, lambda: (kl, kl), mask, lambda samples: wake)


def constant_terms(re, rate):
    """Every step costs `re` and has a KL of `rate` nats."""
    return terms_of(torch.full((T, B), float(re)), torch.full((T, B, Z), rate / Z))


def random_terms(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return terms_of(torch.rand(T, B, generator=generator), torch.rand(T, B, Z, generator=generator))
