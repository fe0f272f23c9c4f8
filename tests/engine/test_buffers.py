"""Scratch memory is reused only after its owner is deleted, and a training step needs no new pages."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from vrnn.engine.native.buffers import KEPT, Scratch

STEPS = """
import resource, sys, torch
from vrnn.threads import set_threads
from vrnn.model import VRNN
from vrnn.training.optimizer import flat_optimizer

torch.set_num_threads(1)
set_threads(int(sys.argv[1]))
vrnn = VRNN(engine="native")
adam = flat_optimizer(torch.optim.Adam, vrnn.parameters(), lr=1e-3)
x = torch.randn(250, 32, 2)
for step in range(75):
    if step == 15:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run = vrnn.infer(x)
    adam.zero_grad()
    (vrnn.latent.kl(run.q, run.p).sum(-1) + vrnn.distortion(run)).mean().backward()
    adam.step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_an_array_serves_one_at_a_time():
    first = Scratch(1000, np.float32)
    array = first.array
    assert Scratch(1000, np.float32).array is not array
    del first
    assert Scratch(999, np.float32).array is not array
    assert Scratch(1000, np.float64).array is not array
    kept = [Scratch(1000, np.float32) for _ in range(KEPT)]
    assert sum(one.array is array for one in kept) == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's malloc behaves differently")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_step_gets_no_new_pages(threads):
    """Without reuse there are over 100 page faults per step, 6000 in all. A thread's first step costs hundreds, once."""
    found = subprocess.run([sys.executable, "-c", STEPS, str(threads)], check=True, capture_output=True, text=True)
    assert int(found.stdout) < 2000
