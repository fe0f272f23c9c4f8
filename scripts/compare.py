"""Compare the runs of a sweep: `python scripts/compare.py runs=outputs/mine`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("compare")
