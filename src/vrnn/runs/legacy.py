"""Settings that earlier versions wrote, brought to the names of today, so that old runs load, evaluate and resume."""

from __future__ import annotations

from typing import Any

from vrnn.patterns.files.recordings import MANY

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
    if isinstance(dataset, dict) and str(dataset.get("_target_")).endswith(".DrawnPattern"):
        upgraded["dataset"] = {**dataset, **_missing_of_drawings(dataset)}
    if isinstance(dataset, dict) and str(dataset.get("_target_")).endswith(".DrawnStrokes"):
        upgraded["dataset"] = {"jitter": 0.0, **dataset}
    upgraded.setdefault("forecast", {"_target_": "vrnn.networks.NoForecast", "_partial_": True})
    upgraded.setdefault("posterior", {"_target_": "vrnn.networks.FilteringPosterior", "_partial_": True})
    upgraded.setdefault("condition", {"_target_": "vrnn.networks.NoCondition", "_partial_": True})
    upgraded.setdefault("start_from", None)
    upgraded.setdefault("freeze", [])
    upgraded.setdefault("optimizer", {"_target_": "torch.optim.Adam", "_partial_": True, "betas": [0.9, 0.999]})
    upgraded.setdefault("lr_schedule", {"_target_": "vrnn.training.lr_schedules.Cosine"})
    upgraded.setdefault("callbacks", {})
    upgraded.setdefault(
        "regularisation", {"_target_": "vrnn.networks.Regularisation", "dropout": 0.0, "input_noise": 0.0}
    )
    model = upgraded.get("model")
    if isinstance(model, dict):
        upgraded["model"] = {"x_to_h": True, "h_to_x": True, "first_points": 0, **model}
    evaluation = upgraded.get("evaluation")
    if isinstance(evaluation, dict):
        upgraded["evaluation"] = {"thorough": False, **evaluation}
    return upgraded


def _missing_of_drawings(dataset: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of drawings that earlier versions lacked, with values under which the data stay the same.

    They always held out the ends of drawings. So does division=null for fewer than five drawings.
    """
    files = dataset.get("files")
    names = [files] if isinstance(files, str) else list(files or ())
    few = len(names) < MANY and not any(str(name).endswith(".npz") for name in names)
    added = {
        "division": None if few else "tail",
        "split_seed": 0,
        "val_files": None,
        "test_files": None,
        "interval": None,
    }
    return {key: value for key, value in added.items() if key not in dataset}


def _rename_targets(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {
            key: TARGETS.get(value, value) if key == "_target_" and isinstance(value, str) else _rename_targets(value)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_rename_targets(value) for value in tree]
    return tree
