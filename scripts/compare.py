"""Compare the runs of a sweep: `vrnn compare runs=outputs/mine`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("compare")
