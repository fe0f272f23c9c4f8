"""What the posterior of z_t sees: x_t and h_{t-1}, or all points by recurrences of its own. The config group `posterior`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vrnn.checks import check_at_least, require
from vrnn.networks.recurrence import GRU

DIRECTIONS = ("backward", "forward")


class FilteringPosterior(nn.Module):
    """q(z_t | x_t, h_{t-1}), the VRNN's: no point after x_t is seen. It has no parameters.

    Args:
        in_dim: Unused: the arguments are those of the other posterior.
    """

    dim = 0
    directions: tuple[str, ...] = ()
    residual = False
    sees_h = True

    def __init__(self, in_dim: int = 0):
        super().__init__()
        self.recurrences = nn.ModuleList()


class RecurrentPosterior(nn.Module):
    """q(z_t | a_t, x_t, h_{t-1}), where a_t sums up other points by GRUs over x.

    Backward, a_t has seen x_T, …, x_t: the smoothing posterior of SRNN (Fraccaro et al. 2016, arXiv 1605.07571) and of DMM
    (Krishnan et al. 2017, arXiv 1609.09869). Forward, it has seen x_1, …, x_t, as in STORN (Bayer & Osendorfer 2014, arXiv
    1411.7610), whose posterior does not see h.

    Args:
        in_dim: Width of what a GRU sees of a point, with the context.
        width: Of each GRU.
        directions: One or both of DIRECTIONS: a GRU for each.
        residual: Whether the encoder's means are relative to the prior's, mu_q = mu_p + r (Fraccaro et al. 2016, section 3.2).
        sees_h: Whether the encoder sees h_{t-1}, too. False: given x, all z_t are independent.

    Raises:
        ValueError: A width below 1, no direction, or an unknown one.
    """

    def __init__(
        self,
        in_dim: int,
        width: int = 64,
        directions: Sequence[str] = ("backward",),
        residual: bool = True,
        sees_h: bool = True,
    ):
        super().__init__()
        check_at_least("posterior.width", width, 1)
        known = bool(directions) and set(directions) <= set(DIRECTIONS) and len(set(directions)) == len(directions)
        require(known, "posterior.directions", f"one or both of {', '.join(DIRECTIONS)}", [*directions])
        self.directions, self.residual, self.sees_h = tuple(directions), residual, sees_h
        self.recurrences = nn.ModuleList(GRU(in_dim, width) for _ in directions)
        self.dim = width * len(directions)


Posterior = FilteringPosterior | RecurrentPosterior
