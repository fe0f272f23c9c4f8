"""A run repeated from its own directory, with or without changes, wherever the directory has come from."""

from __future__ import annotations

from collections.abc import Sequence
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
    for override in given.values():
        _apply(config, override)
    slug = run_name(None, None, "", [str(o.input_line) for o in given.values() if o.key_or_group != "name"])
    whole = run.resolve()
    name = config.name or (whole.name if slug.startswith("/defaults-") else f"{whole.name[:100]}_{slug[1:]}")
    return config, Path("outputs") / (config.sweep or whole.parent.name) / name


def _apply(config: DictConfig, override: Override) -> None:
    """Make one change: another choice of a group replaces the group's settings, a value replaces a setting."""
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override() or override.is_delete():
        raise ConfigError(f"{override.input_line} must be one setting, as in key=value: from=RUN repeats one run.")
    if (conf_directory() / key).is_dir() and not isinstance(value, dict):
        config[key] = choose(key, str(value))
        return
    try:
        if OmegaConf.select(config, key, default=override) is override and not override.is_add():
            raise ConfigError(f"{key} is not a setting of this run: leave it out, or write +{key}=….")
        OmegaConf.update(config, key, value, merge=isinstance(value, dict))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}.") from error


def choose(group: str, choice: str) -> Any:
    """Return the settings of a choice of a group."""
    try:
        with initialize_config_dir(str(conf_directory()), version_base="1.3"):
            composed = compose("train", overrides=[f"{group}={choice}"])
    except HydraException as error:
        raise ConfigError(f"{group}={choice} is not a choice: {str(error).splitlines()[0]}") from error
    if group not in composed:
        raise ConfigError(
            f"{group}={choice} changes several groups at once: with from=RUN, give the settings themselves."
        )
    return OmegaConf.to_container(composed[group], resolve=True)
