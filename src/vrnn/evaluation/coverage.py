"""Whether a model's odds for the next point are true: how often the point is inside of the model's central intervals."""

from __future__ import annotations

import torch

from vrnn.model.inference import Inference, InferenceModel

DRAWS = 99  # of each next point: the interval between the 25th and the 75th of them holds an equal draw with probability 0.5
CENTRAL = {"coverage_50": (25, 75), "coverage_90": (5, 95)}


@torch.no_grad()
def coverage(vrnn: InferenceModel, run: Inference, seed: int) -> dict[str, float | None]:
    """Return the share of held-out coordinates inside of the model's central 50 % and 90 % intervals for the next point.

    The model's next points are drawn: z from the prior, given the points before, then the point from the decoder. For a model
    with the right odds the shares are 0.5 and 0.9.

    Args:
        vrnn: The model.
        run: Its inference along held-out traces.
        seed: Of the draws.

    Returns:
        `coverage_50` and `coverage_90`, means over observed steps and coordinates; None with a posterior that looks ahead,
        whose h_{t-1} already tells of the point.
    """
    if "backward" in vrnn.posterior.directions:
        return dict.fromkeys(CENTRAL)
    generator = torch.Generator(device=vrnn.device).manual_seed(seed)
    below, equal = torch.zeros_like(run.x), torch.zeros_like(run.x)
    for _ in range(DRAWS):
        drawn = vrnn.next_points(run, generator)
        below += drawn < run.x
        equal += drawn == run.x
    # Among equal draws, as of keys that are up or down, a point's place is a matter of chance.
    below += (torch.rand(equal.shape, generator=generator, device=equal.device) * (equal + 1)).floor()
    observed = torch.ones_like(run.x[..., 0], dtype=torch.bool) if run.mask is None else run.mask
    ranks = below[observed]
    return {name: float(((ranks >= low) & (ranks < high)).double().mean()) for name, (low, high) in CENTRAL.items()}
