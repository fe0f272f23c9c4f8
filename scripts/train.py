"""Train one run, or a sweep of them: `vrnn train experiment=eye`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("train")
