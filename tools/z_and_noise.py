"""Whether z tells of choices or of the pen's noise, for finished runs with one categorical z per step.

    python -m tools.z_and_noise outputs/results_harder/*no_choice*

A row per run: the KL in nats per step; the share of it in the tenth of the steps that have most; in these steps the mean KL,
how far apart the two most probable classes place the next point, in standard deviations of the point, and by how many nats the
whole mixture over z predicts it better than one Gaussian of the same mean and standard deviation; the latter at all steps.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from vrnn import load_run
from vrnn.data.loader import TraceSet
from vrnn.objective.distributions import gaussian_log_prob
from vrnn.runs.compare_table import line

COLUMNS = ("run", "KL", "share of a tenth", "its KL", "distance in sigmas", "better by", "better by, all steps")
TRACES, STEPS = 64, 512


@torch.no_grad()
def measure(directory: Path) -> list[float]:
    """Return the numbers of a run's row, on its first held-out traces."""
    run = load_run(directory)
    vrnn, x = run.module.vrnn, TraceSet(run.data.traces("test")[:TRACES]).x[:STEPS]
    inferred = vrnn.infer(x, generator=torch.Generator().manual_seed(0))
    previous, previous2 = vrnn.initial_state(x.shape[1]).history(inferred.x)
    prior = inferred.p[0].exp()[..., 0, :].movedim(-1, 0)
    classes = torch.eye(len(prior))[:, None, None].expand(-1, *x.shape[:2], -1)
    copies = (part.expand(len(prior), *part.shape) for part in (inferred.h, previous, previous2))
    decoder = vrnn.decode(vrnn.embed(classes, None), *copies)
    mean, std = vrnn.likelihood.moments(decoder)

    overall = mixed(prior, mean)
    spread = mixed(prior, std.square() + (mean - overall).square()).sqrt()
    mixture = (vrnn.likelihood.log_prob(decoder, inferred.x.expand_as(mean)) + prior.log()).logsumexp(0)
    better = (mixture - gaussian_log_prob(inferred.x, overall, spread))[2:].flatten()
    first, second = mean.gather(0, prior.topk(2, dim=0).indices[..., None].expand(-1, -1, -1, mean.shape[-1]))
    distance = ((first - second) / spread).norm(dim=-1)[2:].flatten()
    kl = vrnn.latent.kl(inferred.q, inferred.p).sum(-1)[2:].flatten()  # without the jump to a trace's first point
    most = kl.topk(len(kl) // 10).indices
    numbers = (kl.mean(), kl[most].sum() / kl.sum(), kl[most].mean(), distance[most].mean(), better[most].mean())
    return [float(number) for number in (*numbers, better.mean())]


def mixed(prior: Tensor, values: Tensor) -> Tensor:
    """Return the mean of values (classes, T, B, x_dim) under the prior (classes, T, B)."""
    return (prior.unsqueeze(-1) * values).sum(0)


if __name__ == "__main__":
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n")
    for name in sys.argv[1:]:
        print(line([Path(name).name, *(f"{number:.4f}" for number in measure(Path(name)))]), flush=True)
