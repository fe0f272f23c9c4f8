"""A page on which to draw, train and draw on: `vrnn draw`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("draw")
