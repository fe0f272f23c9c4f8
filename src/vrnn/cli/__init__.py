"""The command `vrnn`: arguments, help, completion, and what each command does."""

from vrnn.cli.commands import CONFIGURED, main, run_command

__all__ = ["CONFIGURED", "main", "run_command"]
