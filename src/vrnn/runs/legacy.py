"""Settings that earlier versions wrote, brought to the names of today, so that old runs load, evaluate and resume."""

from __future__ import annotations

from typing import Any

TARGETS = {
    "vrnn.networks.Frame": "vrnn.networks.Coordinates",
    "vrnn.patterns.Hand": "vrnn.patterns.Pen",
}


def upgrade_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a run's stored settings with the names of today.

    Args:
        settings: As config.yaml holds them.
    """
    upgraded = _rename_targets(settings)
    dataset = upgraded.get("dataset")
    if isinstance(dataset, dict) and "hand" in dataset:
        upgraded["dataset"] = {"pen" if key == "hand" else key: value for key, value in dataset.items()}
    upgraded.setdefault("forecast", {"_target_": "vrnn.networks.NoForecast", "_partial_": True})
    return upgraded


def _rename_targets(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {
            key: TARGETS.get(value, value) if key == "_target_" and isinstance(value, str) else _rename_targets(value)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_rename_targets(value) for value in tree]
    return tree
