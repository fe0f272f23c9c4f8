"""The nearest right names for a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MOST = 3
# What other programs call our settings.
ELSEWHERE = {
    "epochs": "training.steps",
    "max_epochs": "training.steps",
    "max_steps": "training.steps",
    "iterations": "training.steps",
    "lr": "optim.learning_rate",
    "hidden_size": "model.h_dim",
    "hidden_dim": "model.h_dim",
    "latent_dim": "model.z_dim",
    "beta": "w_schedule.w",
    "gpus": "trainer",
    "device": "trainer",
}


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return at most three of the names, the nearest first.

    Args:
        name: The misspelt name, perhaps dotted.
        names: The right names. One whose last part is that of `name` is near, wherever it is.
    """
    names = sorted(set(names) - {name})
    parent, _, last = name.rpartition(".")
    siblings = {right.rpartition(".")[2]: right for right in names if right.rpartition(".")[0] == parent}
    found = [right for right in names if right.rpartition(".")[2] == last]
    found += [siblings[right] for right in get_close_matches(last, siblings, MOST, cutoff=0.6)]
    if ELSEWHERE.get(last) in names:
        found.append(ELSEWHERE[last])
    if not siblings:  # the part before the last may be the misspelt one
        found += get_close_matches(name, names, MOST, cutoff=0.8)
    return list(dict.fromkeys(found))[:MOST]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question that offers the nearest names, or "" if there are none."""
    found = nearest(name, names)
    return f"did you mean {alternatives(found)}?" if found else ""


def alternatives(names: Sequence[str]) -> str:
    """Return "a, b or c"."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
