"""Execute a program on a block of tape rows: forward, backward, and the gradients of the weights.

`instructions` defines the ten instructions; `layers`, `gaussian`, `categorical` and `cells` hold their kernels.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs
from __future__ import annotations

from vrnn.engine.native.categorical import (
    argmax_forward,
    gumbel_score_backward,
    gumbel_score_forward,
    log_softmax_backward,
    log_softmax_forward,
    sample_class_backward,
    sample_class_forward,
)
from vrnn.engine.native.cells import cell_backward, cell_forward
from vrnn.engine.native.gaussian import (
    sample_gaussian_backward,
    sample_gaussian_forward,
    std_backward,
    std_forward,
)
from vrnn.engine.native.instructions import (
    ACTIVATE,
    ARGMAX,
    BIAS,
    CELL,
    GUMBEL_SCORE,
    LOG_SOFTMAX,
    PRODUCT,
    SAMPLE_CLASS,
    SAMPLE_GAUSSIAN,
    STD,
    Activate,
    Argmax,
    Bias,
    Cell,
    GumbelScore,
    LogSoftmax,
    Product,
    SampleClass,
    SampleGaussian,
    Std,
)
from vrnn.engine.native.jit import inlined, inner
from vrnn.engine.native.layers import (
    activate_backward,
    activate_forward,
    bias_forward,
    bias_gradient,
    product_backward,
    product_forward,
    product_gradient,
)


@inner
def forward(program, tape, weights, rows):
    """Execute the program on the rows of the tape.

    Args:
        program: A table of instructions, see `instructions.encode`.
        tape: Flat array.
        weights: The packed weights.
        rows: `tape.Rows`.
    """
    for i in range(len(program)):
        code = program[i, 0]
        if code == PRODUCT:
            product_forward(as_product(program, i), tape, weights, rows)
        elif code == BIAS:
            bias_forward(as_bias(program, i), tape, weights, rows)
        elif code == ACTIVATE:
            activate_forward(as_activate(program, i), tape, rows)
        elif code == STD:
            std_forward(as_std(program, i), tape, weights, rows)
        elif code == SAMPLE_GAUSSIAN:
            sample_gaussian_forward(as_sample_gaussian(program, i), tape, rows)
        elif code == LOG_SOFTMAX:
            log_softmax_forward(as_log_softmax(program, i), tape, weights, rows)
        elif code == SAMPLE_CLASS:
            sample_class_forward(as_sample_class(program, i), tape, rows)
        elif code == GUMBEL_SCORE:
            gumbel_score_forward(as_gumbel_score(program, i), tape, weights, rows)
        elif code == ARGMAX:
            argmax_forward(as_argmax(program, i), tape, rows)
        elif code == CELL:
            cell_forward(as_cell(program, i), tape, weights, rows)


@inner
def backward(program, tape, grads, weights, rows, d_rows):
    """Execute the program backward: add to the gradients of every instruction's inputs.

    Bias and Argmax pass no gradient on along the tape.

    Args:
        program: A table of instructions.
        tape: Flat array, as `forward` left it.
        grads: Gradients, in rows of the same columns as the tape's.
        weights: The packed weights.
        rows: Rows of the tape.
        d_rows: As many rows of the gradients.
    """
    for i in range(len(program) - 1, -1, -1):
        code = program[i, 0]
        if code == PRODUCT:
            product_backward(as_product(program, i), grads, weights, d_rows)
        elif code == ACTIVATE:
            activate_backward(as_activate(program, i), tape, grads, rows, d_rows)
        elif code == STD:
            std_backward(as_std(program, i), tape, grads, rows, d_rows)
        elif code == SAMPLE_GAUSSIAN:
            sample_gaussian_backward(as_sample_gaussian(program, i), tape, grads, rows, d_rows)
        elif code == LOG_SOFTMAX:
            log_softmax_backward(as_log_softmax(program, i), tape, grads, weights, rows, d_rows)
        elif code == SAMPLE_CLASS:
            sample_class_backward(as_sample_class(program, i), grads, d_rows)
        elif code == GUMBEL_SCORE:
            gumbel_score_backward(as_gumbel_score(program, i), grads, weights, d_rows)
        elif code == CELL:
            cell_backward(as_cell(program, i), tape, grads, weights, rows, d_rows)


@inner
def weight_gradients(program, tape, grads, d_weights, rows, d_rows, panels):
    """Add the block's part of the gradients of the packed weights.

    Args:
        program: A table of instructions.
        tape: Flat array, as `forward` left it.
        grads: Gradients, as `backward` left them.
        d_weights: Gradients of the packed weights; matrices are not in panels.
        rows: Rows of the tape.
        d_rows: As many rows of the gradients.
        panels: Scratch memory for one column of the tape.
    """
    for i in range(len(program)):
        code = program[i, 0]
        if code == PRODUCT:
            op = as_product(program, i)
            product_gradient(op, tape, grads, d_weights, rows, d_rows, panels)
            if op.bias_place >= 0:
                bias_gradient(op.out, op.width, op.bias_place, grads, d_weights, d_rows)
        elif code == BIAS:
            bias = as_bias(program, i)
            bias_gradient(bias.out, bias.width, bias.bias_place, grads, d_weights, d_rows)


@inlined
def as_bias(program, i):
    """Read row i of the table as a Bias."""
    return Bias(program[i, 1], program[i, 2], program[i, 3])


@inlined
def as_product(program, i):
    """Read row i of the table as a Product."""
    return Product(
        program[i, 1],
        program[i, 2],
        program[i, 3],
        program[i, 4],
        program[i, 5],
        program[i, 6],
        program[i, 7],
        program[i, 8],
    )


@inlined
def as_activate(program, i):
    """Read row i of the table as an Activate."""
    return Activate(program[i, 1], program[i, 2], program[i, 3], program[i, 4])


@inlined
def as_std(program, i):
    """Read row i of the table as a Std."""
    return Std(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5])


@inlined
def as_sample_gaussian(program, i):
    """Read row i of the table as a SampleGaussian."""
    return SampleGaussian(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5])


@inlined
def as_log_softmax(program, i):
    """Read row i of the table as a LogSoftmax."""
    return LogSoftmax(
        program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5], program[i, 6], program[i, 7]
    )


@inlined
def as_sample_class(program, i):
    """Read row i of the table as a SampleClass."""
    return SampleClass(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5], program[i, 6])


@inlined
def as_gumbel_score(program, i):
    """Read row i of the table as a GumbelScore."""
    return GumbelScore(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5])


@inlined
def as_argmax(program, i):
    """Read row i of the table as an Argmax."""
    return Argmax(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5])


@inlined
def as_cell(program, i):
    """Read row i of the table as a Cell."""
    return Cell(program[i, 1], program[i, 2], program[i, 3], program[i, 4], program[i, 5])
