"""A run repeated from its own directory, with or without changes, wherever the directory has come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vrnn.errors import ConfigError
from vrnn.runs.directory import CONFIG
from vrnn.runs.name import run_name
from vrnn.runs.schema import TrainConfig, conf_directory
from vrnn.runs.stored import stored_settings

FROM = "from"


def repeat(overrides: Sequence[str]) -> tuple[DictConfig, Path]:
    """Return the configuration of a run with changes, and the directory that it belongs in.

    The directory is outputs/<task>/<run> in the working directory, with the changes as part of its name; so the run itself,
    in place and without changes, is found to have finished.

    Args:
        overrides: Those of the command line, `from=RUN` among them.

    Raises:
        ConfigError: There is no such run, or a change that cannot be made.
        DamagedError: The run's settings cannot be read.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    given = {override.key_or_group: override for override in parsed}
    run = Path(str(given.pop(FROM).value()))
    allow: Any = given["allow"].value() if "allow" in given else ["vrnn"]
    if not (run / CONFIG).is_file():
        raise ConfigError(f"{FROM} must be a run's directory, outputs/<task>/<run>, but {run} has no config.yaml.")
    settings = stored_settings(run, allow)
    config = OmegaConf.merge(OmegaConf.structured(TrainConfig), settings)
    assert isinstance(config, DictConfig)
    for override in _in_order(list(given.values())):
        _apply(config, override)
    _copy_sizes(config, settings, given)
    slug = run_name(None, None, "", [str(o.input_line) for o in given.values() if o.key_or_group != "name"])
    whole = run.resolve()
    name = config.name or (whole.name if slug.startswith("/defaults-") else f"{whole.name[:100]}_{slug[1:]}")
    return config, Path("outputs") / (config.sweep or whole.parent.name) / name


def _is_choice(override: Override) -> bool:
    return (conf_directory() / override.key_or_group).is_dir() and not isinstance(override.value(), dict)


def _in_order(changes: Sequence[Override]) -> list[Override]:
    """Return changes in the order in which they are made, whatever that of the command line.

    Choices of groups come after the values that they are computed from, such as training.steps, and before the values that
    belong to them.
    """
    choices = sorted(filter(_is_choice, changes), key=lambda override: override.key_or_group != "model")
    groups = {override.key_or_group for override in choices}
    values = [override for override in changes if not _is_choice(override)]
    own = [override for override in values if override.key_or_group.partition(".")[0] in groups]
    return [*(override for override in values if override not in own), *choices, *own]


def _copy_sizes(config: DictConfig, settings: Mapping[str, Any], given: Mapping[str, Override]) -> None:
    """Change the latent's copies of the model's sizes with them; a stored run holds values where the config groups refer."""
    for of_model, of_latent in (("z_dim", "z_dim"), ("std", "std"), ("std_floor", "floor")):
        for group in ("latent", "latent.gaussian"):
            copy = f"{group}.{of_latent}"
            old, new = settings["model"][of_model], config.model[of_model]
            if new != old and copy not in given and OmegaConf.select(config, copy) == old:
                OmegaConf.update(config, copy, new)


def _apply(config: DictConfig, override: Override) -> None:
    """Make one change: another choice of a group replaces the group's settings, a value replaces a setting."""
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override() or override.is_delete():
        raise ConfigError(f"{override.input_line} must be one setting, as in key=value: from=RUN repeats one run.")
    if _is_choice(override):
        chosen = choose(key, str(value), config)
        OmegaConf.update(config, key, chosen, merge=is_dataclass(OmegaConf.get_type(config, key)))
        return
    try:
        if not _is_there(config, key) and not override.is_add():
            raise ConfigError(f"{key} is not a setting of this run: leave it out, or write +{key}=….")
        OmegaConf.update(config, key, value, merge=isinstance(value, dict))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}.") from error


def _is_there(config: DictConfig, key: str) -> bool:
    """Whether a configuration has a setting, with a value or without one yet."""
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    return isinstance(node, DictConfig) and leaf in node.keys()  # noqa: SIM118 - `in node` is false for a missing value


def choose(group: str, choice: str, config: Mapping[str, Any] | DictConfig) -> Any:
    """Return the settings of a choice of a group.

    Args:
        group: The group.
        choice: Its choice.
        config: The run's, by whose sizes and numbers of steps the choice computes its own.
    """
    computed_from = {name: config[name] for name in ("model", "training") if name != group}
    known = [f"{name}.{key}={_as_text(value)}" for name, node in computed_from.items() for key, value in node.items()]
    try:
        with initialize_config_dir(str(conf_directory()), version_base="1.3"):
            composed = compose("train", overrides=[f"{group}={choice}", *known])
    except HydraException as error:
        raise ConfigError(f"{group}={choice} is not a choice: {str(error).splitlines()[0]}") from error
    if group not in composed:
        raise ConfigError(
            f"{group}={choice} changes several groups at once: with from=RUN, give the settings themselves."
        )
    return OmegaConf.to_container(composed[group], resolve=True)


def _as_text(value: Any) -> str:
    """Return a value as Hydra's command line has it."""
    return "null" if value is None else str(value)
