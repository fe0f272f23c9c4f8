"""The kernels' elementary functions against torch's in float64."""

import numpy as np
import pytest
import torch
from numba import njit
from torch.nn.functional import softplus

from vrnn.engine.native import vector_math as mathematics
from vrnn.engine.native.jit import OPTIONS

REFERENCES = {
    "exp": torch.exp,
    "log": torch.log,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": softplus,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_accuracy(name):
    """float32 to two units in the last place of max(1, result), float64 to 1e-14; NaN stays NaN."""
    function = getattr(mathematics, name)

    @njit(**OPTIONS)
    def apply(y, x):
        for i in range(len(x)):
            y[i] = function(x[i])

    for real, tolerance in ((np.float32, 2.4e-7), (np.float64, 1e-14)):
        x = np.concatenate([np.linspace(-80, 80, 4001), np.linspace(-1, 1, 2001), [-1e4, 0.0]]).astype(real)
        if name == "log":
            x = np.exp(x[:-2])
        if name == "exp":
            x = x[:-2]
        y = np.empty_like(x)
        apply(y, x)
        theirs = REFERENCES[name](torch.from_numpy(x.astype(np.float64))).numpy()
        assert np.max(np.abs(y - theirs) / np.maximum(1, np.abs(theirs))) < tolerance
        nothing = np.full(1, np.nan, real)
        if name != "log":
            apply(nothing, nothing)
            assert np.isnan(nothing[0])
