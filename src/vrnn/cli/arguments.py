"""The command line of one command, read before Hydra reads it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from vrnn.cli.groups import user_directories
from vrnn.cli.nearest import did_you_mean
from vrnn.errors import ConfigError
from vrnn.runs.schema import conf_directory
from vrnn.verbosity import Verbosity

FLAGS = {"--help": "-h", "--hydra-help": None, "--multirun": "-m", "--run": "-r", "--resolve": None}
VALUES = {"--cfg": "-c", "--package": "-p", "--info": "-i", "--config-name": "-cn"}
OURS = {"--config-dir": "-cd", "--config-path": "-cp"}
VERBOSITY: dict[str, Verbosity] = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose"}


class Arguments(NamedTuple):
    """What a command line asks for.

    Args:
        options: Hydra's options, with their values.
        overrides: The `key=value` arguments.
        help: Whether the command's help is asked for.
        multirun: Whether the overrides describe a sweep.
        runs: Whether the command itself runs; otherwise Hydra only shows something.
        config_path: The directory of the primary configuration.
        config_name: The primary configuration, if it is not the command's own.
    """

    options: list[str]
    overrides: list[str]
    help: bool
    multirun: bool
    runs: bool
    config_path: Path
    config_name: str | None


class UserConfigs(SearchPathPlugin):
    """Puts the directory of --config-dir before the package's own config groups."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend the directory."""
        for directory in user_directories:
            search_path.prepend("command-line", f"file://{directory}", SearchPathQuery(provider="main", path=None))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; --help shows examples, --hydra-help Hydra's options.")


def read_arguments(words: Sequence[str]) -> Arguments:
    """Read a command line, and register the directory of its --config-dir.

    Args:
        words: The arguments after the command's name.

    Raises:
        ConfigError: An option that does not exist, or a directory that does not exist.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for option, short in FLAGS.items():
        parser.add_argument(option, *filter(None, [short]), action="store_true")
    for option, short in (VALUES | OURS).items():
        choices = ["job", "hydra", "all"] if option == "--cfg" else None
        parser.add_argument(option, short, choices=choices)
    parser.add_argument("overrides", nargs="*")
    parsed, rest = parser.parse_known_args(list(words))
    if unknown := [word for word in rest if word.startswith("-")]:
        raise _unknown_option(unknown[0], [*FLAGS, *VALUES, *OURS, "--quiet", "--verbose"], parsed.overrides)
    given = {option: getattr(parsed, option.strip("-").replace("-", "_")) for option in (*FLAGS, *VALUES, *OURS)}
    if given["--config-dir"] is not None:
        user_directories[:] = [_existing("--config-dir", given["--config-dir"])]
        Plugins.instance().register(UserConfigs)
    path = conf_directory() if parsed.config_path is None else _existing("--config-path", parsed.config_path)
    options = [option for option in FLAGS if given[option]]
    options += [f"{option}={given[option]}" for option in VALUES if given[option] is not None]
    shows = bool(parsed.hydra_help or parsed.cfg or parsed.info)
    overrides = [*parsed.overrides, *rest]
    return Arguments(options, overrides, parsed.help, parsed.multirun, not shows, path, parsed.config_name)


def runs_words(words: Sequence[str]) -> list[str]:
    """Return the words of `vrnn runs` as settings: a directory without a key, and texts that Hydra's grammar needs quoted.

    Raises:
        ConfigError: There are two directories.
    """
    directories = [word for word in words if "=" not in word and not word.startswith("-")]
    if len(directories) > 1:
        raise ConfigError(f"directory must be one directory of runs, but there are {' and '.join(directories)}.")
    settings = []
    for word in words:
        key, equals, value = word.partition("=")
        if key in ("where", "note") and equals and value[:1] not in ("'", '"'):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            settings.append(f'{key}="{escaped}"')
        else:
            settings.append(word if equals or word.startswith("-") else f"directory={word}")
    return settings


def condition_words(words: Sequence[str]) -> list[str]:
    """Return the words of a command with `label` for `condition`, which Hydra would take for the config group."""
    return [f"label={word.removeprefix('condition=')}" if word.startswith("condition=") else word for word in words]


# Commands whose words are not yet settings.
WORDS = {
    "runs": runs_words,
    "generate": condition_words,
    "impute": condition_words,
    "score": condition_words,
}


def take_dry(overrides: Sequence[str]) -> tuple[list[str], bool]:
    """Return the overrides without `dry`, and whether it is true: it is asked of the command, and is no setting of a run.

    Raises:
        ConfigError: It is neither true nor false.
    """
    others = [word for word in overrides if not word.startswith("dry=")]
    values = [word.removeprefix("dry=").lower() for word in overrides if word.startswith("dry=")]
    if unknown := [value for value in values if value not in ("true", "false")]:
        raise ConfigError(f"dry must be true or false, but is {unknown[0]!r}.")
    return others, values[-1:] == ["true"]


def take_verbosity(words: Sequence[str]) -> tuple[list[str], Verbosity]:
    """Return the words of any command without -q and -v, and how much it is to say.

    Raises:
        ConfigError: Both are given.
    """
    asked = {VERBOSITY[word] for word in words if word in VERBOSITY}
    if len(asked) > 1:
        raise ConfigError("-q and -v must not be given together: leave one of them out.")
    return [word for word in words if word not in VERBOSITY], asked.pop() if asked else "normal"


def _existing(option: str, directory: str) -> Path:
    if not Path(directory).is_dir():
        raise ConfigError(
            f"{option} must be a directory of configurations, but is {directory}, which is not a directory."
        )
    return Path(directory).resolve()


def _unknown_option(word: str, options: list[str], overrides: list[str]) -> ConfigError:
    option, _, value = word.partition("=")
    value = value or (overrides[0] if overrides and "=" not in overrides[0] else "…")
    setting = f"settings are given without dashes, as {option.lstrip('-')}={value}."
    return ConfigError(f"{option} is not an option: {did_you_mean(option, options) or setting}")
