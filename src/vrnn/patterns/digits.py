"""Small images of digits, a row at a time."""

from __future__ import annotations

import numpy as np

from vrnn.patterns.trace import Pattern, Split, Trace

PARTS: dict[Split, tuple[float, float]] = {"train": (0.0, 0.7), "val": (0.7, 0.8), "test": (0.8, 1.0)}
SEED = 1797  # of the split, the same in every run
INK = 8  # of 16 grey levels: from here on a pixel is ink


class Digits(Pattern):
    """scikit-learn's 1797 handwritten digits of 8 x 8 pixels, each a sequence of its 8 rows from the top.

    A pixel is 1 where its grey level is at least 8 of 16, else 0. 70 % of the images are for training, 10 % for
    validation, 20 % for the test, in a split that no seed of a run changes. A trace's state is its digit.

    Raises:
        ValueError: scikit-learn is not installed.
    """

    x_dim = 8
    form = "image"
    names = tuple("0123456789")

    def __init__(self) -> None:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ValueError(
                "the digits come with scikit-learn: pip install scikit-learn, or vrnn-lab[digits]"
            ) from error
        found = load_digits()
        order = np.random.default_rng(SEED).permutation(len(found.images))
        self._images = (found.images[order] >= INK).astype(np.float64)
        self._labels = found.target[order].astype(np.int64)

    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        """Return n different images of a split in random order, or all it has; of each the first `steps` rows."""
        begin, end = (round(part * len(self._images)) for part in PARTS[split])
        unknown = np.full(8, -1, dtype=np.int64)
        return [
            Trace(self._images[i].copy(), np.full(8, self._labels[i]), unknown).until(steps)
            for i in begin + rng.permutation(end - begin)[:n]
        ]
