"""Tab completion of commands, groups, choices, settings and paths, in bash, zsh and fish."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from vrnn.cli import groups
from vrnn.cli.help import COMMANDS, PAGES
from vrnn.errors import ConfigError

# bash splits words at "=", so that only what follows it is to be completed.
SCRIPTS = {
    "bash": """\
_vrnn() {
    local word="${COMP_LINE:0:COMP_POINT}"; word="${word##* }"
    local prefix=""; [[ "$word" == *=* ]] && prefix="${word%=*}="
    COMPREPLY=()
    while IFS= read -r found; do
        [[ -n "$found" ]] && COMPREPLY+=("${found#"$prefix"}")
    done < <("${COMP_WORDS[0]}" --complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    [[ "${COMPREPLY[*]}" == *[=/.] ]] && compopt -o nospace
}
complete -F _vrnn vrnn""",
    "zsh": """\
_vrnn() { compadd -Q -S '' -- ${(f)"$(${words[1]} --complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)"} }
compdef _vrnn vrnn""",
    "fish": """complete -c vrnn -f -a '(vrnn --complete (commandline -cp | string collect))'""",
}


def completion_script(shell: str) -> str:
    """Return what a shell is to evaluate.

    Raises:
        ConfigError: Another shell than bash, zsh and fish.
    """
    if shell not in SCRIPTS:
        raise ConfigError(f"--completion must be bash, zsh or fish, but is {shell or 'missing'}.")
    return SCRIPTS[shell]


def complete(line: str) -> list[str]:
    """Return the words that may stand at the end of a command line.

    Args:
        line: The line up to the cursor, `vrnn` included.
    """
    *words, last = line.split(" ")
    words = [word for word in words if word]
    if len(words) < 2:
        return sorted(word for word in COMMANDS if word.startswith(last))
    for word, value in pairwise(words):
        if word == "--config-dir" and Path(value).is_dir():
            groups.user_directories[:] = [Path(value)]
    return sorted(word for word in _candidates(words[1], last) if word.startswith(last))


def _candidates(command: str, word: str) -> Iterator[str]:
    """Yield the words that may begin so: `group=`, `group=choice`, `setting=`, or `setting=path`."""
    key, equals, value = word.partition("=")
    if not equals:
        yield from (f"{name}=" for name in (*groups.defaults(command), *PAGES.get(command, PAGES["train"]).settings))
        return
    if key in groups.defaults(command):
        head = ",".join(value.split(",")[:-1])  # of a sweep: gru,lstm
        yield from (f"{key}={head}{',' if head else ''}{choice}" for choice in groups.choices(key))
        return
    parent = value.rpartition("/")[0]
    for path in Path(parent or ".").glob("*"):
        yield f"{key}={f'{parent}/' if parent else ''}{path.name}{'/' if path.is_dir() else ''}"
