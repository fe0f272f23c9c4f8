"""Small images of digits, one row per step."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from vrnn.patterns.trace import Pattern, Split, Trace
from vrnn.patterns.units import Units

PARTS: dict[Split, tuple[float, float]] = {"train": (0.0, 0.7), "val": (0.7, 0.8), "test": (0.8, 1.0)}
SPLIT_SEED = 1797  # the split is the same in every run
THRESHOLD = 8  # of 16 grey levels: from here on a pixel counts as black


class Digits(Pattern):
    """scikit-learn's 1797 handwritten digits of 8 x 8 pixels, each a sequence of its 8 rows from the top.

    A pixel is 1 where its grey level is at least 8 of 16, else 0. 70 % of the images are for training, 10 % for
    validation and 20 % for the test, whatever the seed of a run. A trace's state and its label are its digit.

    A split has a fixed number of images: `draw` returns n different ones in random order, or all of them if n is larger.

    Raises:
        ValueError: scikit-learn is not installed.
    """

    x_dim = 8
    form = "image"
    names = tuple("0123456789")
    units = Units(labels=names)

    def __init__(self) -> None:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ValueError(
                "dataset=digits must find its images in scikit-learn, but scikit-learn is not installed: "
                "pip install scikit-learn, or vrnn-lab[digits]."
            ) from error
        found = load_digits()
        order = np.random.default_rng(SPLIT_SEED).permutation(len(found.images))
        self._images = (found.images[order] >= THRESHOLD).astype(np.float64)
        self._labels = found.target[order].astype(np.int64)

    @override
    def draw(self, split: Split, n: int, steps: int, rng: np.random.Generator) -> list[Trace]:
        begin, end = (round(part * len(self._images)) for part in PARTS[split])
        unknown = np.full(8, -1, dtype=np.int64)
        return [
            Trace(self._images[i].copy(), np.full(8, self._labels[i]), unknown, label=int(self._labels[i])).until(steps)
            for i in begin + rng.permutation(end - begin)[:n]
        ]
