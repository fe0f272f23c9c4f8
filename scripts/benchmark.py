"""Measure how fast the engines are: `vrnn benchmark`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("benchmark")
