"""A class of the wrong kind is refused where settings name it, not when the model uses it."""

import importlib

import pytest
import yaml

from tests.conftest import ROOT
from tests.torture.runs import configuration
from vrnn.errors import ConfigError
from vrnn.runs.config import check
from vrnn.runs.instantiate import CONFIGURABLE, TARGET
from vrnn.runs.parts import KINDS, PARTIAL_GROUPS, check_parts, make_part
from vrnn.runs.pattern import build_pattern

SETTINGS = check(configuration(["model=tiny"]))


def classes() -> dict[str, type]:
    """The public classes that settings may name."""
    modules = [importlib.import_module(name) for name in CONFIGURABLE]
    found = {f"{module.__name__}.{name}": value for module in modules for name, value in vars(module).items()}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and is_configurable(kind)}


def is_configurable(kind: type) -> bool:
    return any(f"{kind.__module__}.".startswith(f"{name}.") for name in CONFIGURABLE)


def of_group(group: str) -> set[str]:
    """The classes that the files of a config group name."""
    nodes = [yaml.safe_load(file.read_text()) for file in (ROOT / "conf" / group).glob("*.yaml")]
    return {node.get(group, node)[TARGET] for node in nodes if TARGET in node.get(group, node)}


@pytest.mark.parametrize("group", KINDS)
def test_a_class_of_another_group_is_refused(group):
    others = [name for name in classes() if name not in of_group(group)]
    assert len(others) > 60
    for name in others:
        with pytest.raises(ConfigError, match=rf"^{group}\._target_ must be a class that a file of conf/{group} names"):
            make_part({**SETTINGS, group: {TARGET: name, "_partial_": group in PARTIAL_GROUPS}}, group)


@pytest.mark.parametrize("name", classes())
def test_a_pattern_is_a_pattern(name):
    if name not in of_group("dataset"):
        for node in {TARGET: name}, {TARGET: name, "_partial_": True}:
            with pytest.raises(ConfigError):
                build_pattern({**SETTINGS, "dataset": node})


@pytest.mark.parametrize("group", KINDS)
def test_what_is_made_later_is_not_made_now(group):
    wrong = group not in PARTIAL_GROUPS
    with pytest.raises(ConfigError, match=rf"^{group}\._partial_ must be {str(not wrong).lower()}, but is {wrong}\.$"):
        make_part({**SETTINGS, group: {**SETTINGS[group], "_partial_": wrong}}, group)


def test_a_forecast_is_not_given_what_the_model_gives():
    node = {TARGET: "vrnn.networks.Forecast", "_partial_": True, "h_dim": 3}
    with pytest.raises(ConfigError, match=r"h_dim.*leave it out of the settings"):
        check_parts({**SETTINGS, "forecast": node}, None)
