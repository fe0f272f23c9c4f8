"""A package of somebody's own, as far as a configuration can tell."""

from vrnn.objective import ELBO


class MyBound(ELBO):
    """The ELBO by another name."""
