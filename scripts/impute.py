"""Fill a gap in a drawing: `vrnn impute run=… drawing=drawing.npy gap=[60,110]`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("impute")
