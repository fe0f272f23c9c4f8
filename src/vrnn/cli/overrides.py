"""Overrides checked before Hydra acts on them: a misspelt one is answered with the nearest right ones, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from importlib.util import find_spec
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from vrnn.cli import groups
from vrnn.cli.nearest import alternatives, did_you_mean
from vrnn.cli.signatures import class_arguments
from vrnn.errors import ConfigError
from vrnn.runs.config import SEVERAL
from vrnn.runs.schema import SCHEMAS, expected_type

MANY = 16  # more names than this are not listed in a message
# {(group, choice): (a module it needs, the extra that installs it)}
EXTRAS = {
    ("hydra/launcher", "cores"): ("hydra_plugins.hydra_joblib_launcher", "sweeps"),
    ("hydra/launcher", "joblib"): ("hydra_plugins.hydra_joblib_launcher", "sweeps"),
    ("hydra/launcher", "slurm"): ("hydra_plugins.hydra_submitit_launcher", "sweeps"),
    ("hydra/launcher", "submitit_local"): ("hydra_plugins.hydra_submitit_launcher", "sweeps"),
    ("hydra/launcher", "submitit_slurm"): ("hydra_plugins.hydra_submitit_launcher", "sweeps"),
    ("hydra/launcher", "ray"): ("hydra_plugins.hydra_ray_launcher", "ray"),
    ("logger", "wandb"): ("wandb", "wandb"),
    ("logger", "mlflow"): ("mlflow", "mlflow"),
    ("dataset", "digits"): ("sklearn", "digits"),
}


def check_overrides(
    command: str, config_path: str, config_name: str, texts: Sequence[str], multirun: bool
) -> tuple[list[str], list[DictConfig]]:
    """Compose the configurations that a command line asks for.

    Args:
        command: The command's name.
        config_path: The directory of its primary configuration.
        config_name: The name of its primary configuration.
        texts: The overrides.
        multirun: Whether an override may have several values.

    Returns:
        The overrides for Hydra, in which an argument of a class that its YAML does not list has the `+` Hydra asks for;
        and the configurations: of a sweep the first, and for each further value of an axis the first with that value.

    Raises:
        ConfigError: An override that cannot be read, or that names what does not exist.
    """
    with initialize_config_dir(config_path, version_base="1.3"):
        return _Composer(command, config_name, multirun).compose(texts)


class _Composer:
    """Composes the configurations of one command; see `check_overrides`."""

    def __init__(self, command: str, config_name: str, multirun: bool):
        self.command, self.config_name, self.multirun = command, config_name, multirun
        self.loader = GlobalHydra.instance().config_loader()
        self.parser = OverridesParser.create(config_loader=self.loader)

    def compose(self, texts: Sequence[str]) -> tuple[list[str], list[DictConfig]]:
        overrides = [self.parse(text) for text in texts]
        for override in overrides:
            if self.is_group(override):
                self.check_choice(override)
        self.check_contradictions(overrides)
        axes = [_values(override) for override in overrides]
        first = [values[0] for values in axes]
        jobs = [first, *([*first[:i], value, *first[i + 1 :]] for i, axis in enumerate(axes) for value in axis[1:])]
        configs = []
        for job in jobs:
            try:
                configs.append(compose(self.config_name, overrides=job, return_hydra_config=True))
            except HydraException as error:
                added = self.explain(job, error)
                return self.compose([f"+{text}" if text.split("=")[0] in added else text for text in texts])
        self.check_added(overrides)
        return list(texts), configs

    def base(self, texts: Sequence[str]) -> DictConfig:
        """Compose overrides that others are compared with.

        Raises:
            ConfigError: Hydra cannot compose them.
        """
        try:
            return compose(self.config_name, overrides=list(texts), return_hydra_config=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(one_line(error)) from error

    def parse(self, text: str) -> Override:
        """Parse one override.

        Raises:
            ConfigError: Hydra's grammar has no such override, or it has several values outside a sweep.
        """
        key, equals, value = text.partition("=")
        if not equals and not text.startswith("~"):
            found = [f"{group}={text}" for group in groups.groups() if text in groups.choices(group)]
            hint = f"did you mean {alternatives(found)}?" if found else "write key=value, as in seed=1."
            raise ConfigError(f"{text} is not a setting: {hint}")
        try:
            override = self.parser.parse_override(text)
        except HydraException as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{text} cannot be read ({reason}): quote it, as in '{key}={_quoted(value)}'.") from error
        if override.is_sweep_override() and not self.multirun:
            sweep = "add -m for a sweep, or " if self.command == "train" else ""
            raise ConfigError(f"{text} has several values: {sweep}write {key}=[{value}] for a list.")
        return override

    def is_group(self, override: Override) -> bool:
        """Tell whether an override chooses a file of a group: a group's name is also that of its settings."""
        return bool(self.choices(override.key_or_group)) and not isinstance(override.value(), dict)

    def choices(self, group: str) -> list[str]:
        return self.loader.get_group_options(group)

    def check_choice(self, override: Override) -> None:
        """Raise ConfigError if a group has no such choice."""
        group, choices = override.key_or_group, self.choices(override.key_or_group)
        for value in [] if override.is_delete() else _choices(override):
            if (group, value) in EXTRAS:
                require_extra(f"{group}={value}", *EXTRAS[group, value])
            absent = ("null", "None") if groups.defaults(self.config_name).get(group) is None else ()
            if value not in (*absent, *choices):
                listed = ", ".join(choices) if len(choices) <= MANY else f"one of its {len(choices)} choices"
                hint = did_you_mean(value, choices) or f"vrnn {self.command} --help lists them."
                raise ConfigError(f"{group} must be {listed}, but is {value!r}: {hint}")
        if override.is_add() and group in groups.defaults(self.config_name):
            raise _plus_left_over(override)

    def check_contradictions(self, overrides: Sequence[Override]) -> None:
        """Raise ConfigError if one choice on the command line undoes another. Experiments are made to be changed."""
        chosen = {override.key_or_group: _choices(override) for override in overrides if self.is_group(override)}
        for group, choices in chosen.items():
            for choice in choices if group != "experiment" else []:
                for other, needed in groups.overridden(group, choice).items():
                    if other in chosen and chosen[other] != [needed]:
                        raise ConfigError(
                            f"{group}={choice} sets {other}={needed}, but {other}={','.join(chosen[other])} is given too: "
                            "leave one of the two out."
                        )

    def explain(self, job: Sequence[str], error: HydraException) -> set[str]:
        """Say why a configuration cannot be composed.

        Returns:
            The keys that are arguments of a class which its YAML does not list: Hydra takes them with a `+`.

        Raises:
            ConfigError: In all other cases.
        """
        overrides = [self.parse(text) for text in job]
        base = self.base([text for text, override in zip(job, overrides, strict=True) if self.is_group(override)])
        added, given = set(), {}
        for override in overrides:
            if override.is_add() and _exists(base, override.key_or_group):
                raise _plus_left_over(override)
            if self.is_group(override) or override.is_add() or override.is_force_add() or override.is_delete():
                continue
            for key, value in _leaves(override.key_or_group, override.value()):
                given[key] = value
                if _exists(base, key):
                    continue
                if key == override.key_or_group and _is_argument(base, key):
                    added.add(key)
                else:
                    raise self.unknown(key, base)
        cause = error.__cause__
        if isinstance(cause, ValidationError) and cause.full_key in given:
            key = cause.full_key
            expected = expected_type(SCHEMAS[self.command], key)
            cure = f": write {key}=[{given[key]}]" if "a list of" in expected and _is_one_word(given[key]) else ""
            raise ConfigError(f"{key} must be {expected}, but is {_shown(given[key])}{cure}.") from error
        if not added:
            raise ConfigError(one_line(error)) from error
        return added

    def check_added(self, overrides: Sequence[Override]) -> None:
        """Raise ConfigError if an override with a + adds what no class and no schema takes."""
        added = [o for o in overrides if (o.is_add() or o.is_force_add()) and not self.is_group(o)]
        added = [override for override in added if not override.key_or_group.startswith("hydra.")]
        if not added:
            return
        base = self.base([_values(override)[0] for override in overrides if override not in added])
        for override in added:
            for key, _ in _leaves(override.key_or_group, override.value()):
                if not self.is_free(key, base):
                    raise self.unknown(key, base)

    def is_free(self, key: str, base: DictConfig) -> bool:
        """Tell whether a key exists, is an argument of a class, or belongs to settings of any names, such as states."""
        parts = key.split(".")
        depth = next((n for n in range(1, len(parts) + 1) if not _exists(base, ".".join(parts[:n]))), None)
        if depth is None or _is_argument(base, ".".join(parts[:depth])):
            return True
        parent = OmegaConf.select(base, ".".join(parts[: depth - 1])) if depth > 1 else base
        has_schema = parent is base or not isinstance(parent, DictConfig) or is_dataclass(OmegaConf.get_type(parent))
        return not has_schema and "_target_" not in parent

    def unknown(self, key: str, config: DictConfig) -> ConfigError:
        """Return the error of a setting that does not exist."""
        parent, _, last = key.rpartition(".")
        while parent and not isinstance(OmegaConf.select(config, parent), DictConfig):
            parent = parent.rpartition(".")[0]
        if key.startswith("space."):
            return ConfigError(
                f"{key} is not in the space: add it with dots inside of the braces, as in "
                "'space={model.h_dim: [8, 16]}' or 'space={model.h_dim: {low: 8, high: 64}}'."
            )
        below = _below(OmegaConf.select(config, parent), f"{parent}.") if parent else list(_keys(config))
        names = [name for name in below if "." not in name[len(parent) + 1 :]]
        everywhere = [*groups.groups(), *_keys(config)] if self.command == "train" else names
        if hint := did_you_mean(key, below if last != "_target_" else ()):
            return ConfigError(f"{key} is not a setting: {hint}")
        if others := groups.choices_with(parent, last) if parent else []:
            here = f"{parent}={config.hydra.runtime.choices.get(parent)}"
            return ConfigError(
                f"{key} is not a setting of {here}, but of {parent}={alternatives(others)}; {_has(here, names)}"
            )
        if hint := did_you_mean(key, everywhere if last != "_target_" else ()):
            return ConfigError(f"{key} is not a setting: {hint}")
        if len(names) > MANY:
            return ConfigError(
                f"{key} is not a setting: vrnn {self.command} --help and --cfg job show what may be set."
            )
        return ConfigError(f"{key} is not a setting: {_has(parent or self.command, names)}")


def require_extra(what: str, module: str, extra: str) -> None:
    """Raise ConfigError if a module is not installed.

    Args:
        what: What needs it.
        module: Its name.
        extra: The extra that installs it.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ConfigError(f"{what} needs a package that is not installed: pip install 'vrnn-lab[{extra}]'.")


def _values(override: Override) -> list[str]:
    """Return the override once for each of its values."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    if not override.is_discrete_sweep():
        raise ConfigError(f"{override.input_line}: a sweep must list its values, as in {override.key_or_group}=1,2,3.")
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _choices(override: Override) -> list[str]:
    """Return the names of all files that an override chooses."""
    values = [text.partition("=")[2] for text in _values(override)]
    if override.key_or_group in SEVERAL:  # as in callbacks=[a,b]
        values = [name.strip() for value in values for name in value.removeprefix("[").removesuffix("]").split(",")]
    return [value.strip("'\"") for value in values]


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) for each setting of an override, whose value may be a dict."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key, value


def _exists(config: DictConfig, key: str) -> bool:
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node.keys():  # noqa: SIM118 - `in node` is False for null and ???
            return False
        node = node._get_node(part)
    return True


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a configuration, those of Hydra's own left out."""
    for name in map(str, config.keys()):
        if f"{prefix}{name}" != "hydra":
            yield f"{prefix}{name}"
            node = config._get_node(name)
            if isinstance(node, DictConfig):
                yield from _keys(node, f"{prefix}{name}.")


def _below(node: DictConfig, prefix: str) -> list[str]:
    """Return the dotted keys of what may be set below a node, the arguments of its class included."""
    names = [key for key in _keys(node, prefix) if not key.rpartition(".")[2].startswith("_")]
    arguments = class_arguments(str(node._target_)) if "_target_" in node else []
    return list(dict.fromkeys([*names, *(prefix + name for name in arguments)]))


def _is_argument(config: DictConfig, key: str) -> bool:
    """Tell whether a key names an argument of the class of the node above it."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else None
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return False
    is_ours = str(node._target_).startswith("vrnn.")  # other packages' classes check their arguments themselves
    return not is_ours or name in ("_target_", "_partial_", *class_arguments(str(node._target_)))


def _has(what: str, names: Sequence[str]) -> str:
    return f"{what} has {', '.join(sorted(name.rpartition('.')[2] for name in names)) or 'no settings'}."


def _plus_left_over(override: Override) -> ConfigError:
    line = str(override.input_line)
    return ConfigError(f"{line}: there is such a setting already: leave the + out, as in {line[1:]}.")


def _quoted(value: str) -> str:
    """Return a value with quotes where Hydra's grammar needs them."""
    if value.startswith("[") and value.endswith("]"):
        parts = (part.strip().strip("'\"") for part in value[1:-1].split(","))
        return "[" + ",".join(f'"{part}"' for part in parts) + "]"
    return f'"{value}"'


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def _is_one_word(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | list)


def one_line(error: Exception) -> str:
    """Return an error of Hydra's or OmegaConf's without its hints about Hydra."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    key = getattr(cause, "full_key", None)
    return f"{key}: {lines[0]}" if key and key not in lines[0] else lines[0]
