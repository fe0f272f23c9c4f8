"""Score own sequences by a trained run: `vrnn score run=… files=[drawing.npy]`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("score")
