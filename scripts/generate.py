"""Draw traces from a trained run: `vrnn generate run=outputs/eye/defaults-e3b0c442`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("generate")
