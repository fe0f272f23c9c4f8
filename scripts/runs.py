"""List, filter, note, tag or remove runs: `vrnn runs outputs/mine`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("runs")
