"""A recurrence alone, over time, in the kernels that run the six networks."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.engine.interface import UnsupportedError
from vrnn.engine.native.autograd import check_input, prepare, unroll_program
from vrnn.engine.native.gemm import lanes
from vrnn.engine.native.inspect import Weights, check_kinds, recurrence
from vrnn.engine.native.layout import scan_layout
from vrnn.networks.recurrence import Recurrence


def scan(module: Recurrence, inputs: Tensor) -> Tensor:
    """Return the outputs of a recurrence before its first input and after each one. Twin: vrnn.engine.reference.scan.

    Args:
        module: The recurrence.
        inputs: (T, B, in_dim).

    Raises:
        UnsupportedError: The kernels do not support it.
    """
    weights: Weights = {}
    cell = recurrence(module, weights)
    if cell is None:
        raise UnsupportedError("there is no recurrence")
    check_kinds(weights)
    made = scan_layout(cell, module.in_dim, module.h_dim, lanes(next(iter(weights.values())).itemsize))
    flat = prepare(made, weights)
    check_input("inputs", inputs, (*inputs.shape[:2], module.in_dim), flat)
    nothing, memory = inputs[..., :0], inputs.new_zeros(inputs.shape[1], module.state_dim)
    h, after = unroll_program(made, inputs, nothing, memory, flat)
    return torch.cat([h, module.output(after).unsqueeze(0)])
