"""The command `vrnn`: arguments, help, completion, and what each command does."""

from vrnn.cli.commands import main, run_command

__all__ = ["main", "run_command"]
