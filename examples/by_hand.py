# ---
# jupytext:
#   text_representation:
#     format_name: percent
# kernelspec:
#   display_name: Python 3
#   language: python
#   name: python3
# ---

# %% [markdown]
# # A VRNN trained by hand
#
# This notebook builds a VRNN, trains it with a loop of its own, generates traces and scores them. It takes a few minutes on
# one core. It is also a program: `python examples/by_hand.py`. Jupyter opens it with the jupytext extension.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from vrnn import VRNN, elbo_loss
from vrnn.evaluation import LapJudge, score
from vrnn.objective import CategoricalLatent, GaussianLikelihood, LinearW
from vrnn.patterns import Automaton, AutomatonPattern, Oval, Pen
from vrnn.plots import plot_traces

STEPS = 2000  # optimiser steps
WINDOW = 32  # time steps per optimiser step
BATCH = 64

# %% [markdown]
# ## The data
#
# The automaton of the eye: at the top of every lap it chooses a wide oval with probability 2/3 or a thin one with 1/3. A pen
# draws its laps with a little jitter and noise. Traces have the shape (T, 2); a batch has time first, (T, B, 2).

# %%
odds = {"wide": "2/3", "thin": "1/3"}
automaton = Automaton(
    states={
        "wide": {"laps": 1, "curve": Oval([1.9, 1.1], center=[0, -0.1], start=90)},
        "thin": {"laps": 1, "curve": Oval([0.7, 1.1], center=[0, -0.1], start=90)},
    },
    transitions={"wide": odds, "thin": odds},
    start="wide",
)
pattern = AutomatonPattern(automaton, Pen(speed=0.27))
traces = pattern.draw("train", n=1024, steps=512, rng=np.random.default_rng(0))
x = torch.as_tensor(np.stack([trace.points for trace in traces], axis=1), dtype=torch.float32)
print(tuple(x.shape))

# %% [markdown]
# ## The model
#
# z is one of four classes per step. The decoder's standard deviation is at most 0.04, so that one Gaussian cannot cover both
# ovals: z has to make the choice.

# %%
torch.manual_seed(0)
vrnn = VRNN(
    x_dim=2,
    h_dim=64,
    latent=CategoricalLatent(classes=4, estimator="exact", balance=1.0),
    likelihood=GaussianLikelihood(ceiling=0.04),
)
print(sum(parameter.numel() for parameter in vrnn.parameters()), "parameters")

# %% [markdown]
# ## Training
#
# Truncated backpropagation through time: the state at a window's end, cut off from its graph, is where the next window starts.
# The KL's weight w grows to 1 over the first eighth of the training; 0.02 nats per step cost nothing.

# %%
w_schedule = LinearW(steps=STEPS // 8, free_nats=0.02)
optimizer = torch.optim.Adam(vrnn.parameters(), lr=1e-2)
decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
windows = len(x) // WINDOW
history = []

for step in range(STEPS):
    if step % windows == 0:  # new traces, from their beginning
        batch = x[:, torch.randperm(x.shape[1])[:BATCH]]
        state = vrnn.initial_state(BATCH)
    window = batch[step % windows * WINDOW :][:WINDOW]

    run = vrnn.infer(window, state)
    state = run.state.detach()
    loss = elbo_loss(vrnn.distortion(run), run.q, run.p, vrnn.latent, w_schedule)

    optimizer.zero_grad()
    loss.loss.backward()
    torch.nn.utils.clip_grad_norm_(vrnn.parameters(), 1.0)
    optimizer.step()
    decay.step()
    history.append((loss.distortion.mean().item(), loss.kl.sum(-1).mean().item()))

reconstruction, kl = np.array(history).T
print(f"last 100 steps: -log p(x | z) {reconstruction[-100:].mean():.3f}, KL {kl[-100:].mean():.4f} nats per step")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
axes[0].plot(reconstruction)
axes[0].set_title("-log p(x | z), nats per step")
axes[1].plot(kl)
axes[1].set_title("KL, nats per step")
for ax in axes:
    ax.set_xlabel("optimiser step")

# %% [markdown]
# ## Generation
#
# Every z is drawn from the prior and every point from the decoder. A judge, calibrated on true traces alone, cuts the traces
# into laps and names them.

# %%
vrnn.eval()
drawn = vrnn.generate(n=64, steps=1024, generator=torch.Generator().manual_seed(0)).transpose(0, 1).double().numpy()
plot_traces({"truth": traces[0].points[:400], "generated": drawn[0, :400]})

# %%
judged = score(list(drawn), LapJudge.calibrate(pattern))
print("laps:", judged["laps"])
print("invalid laps:", round(judged["invalid_fraction"], 3))
print("shares:", {name: round(share, 3) for name, share in judged["pattern_fractions"].items()})
