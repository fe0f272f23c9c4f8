"""Write one HTML page about a run or many: `vrnn report run=outputs/mine/RUN`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("report")
