"""Search for good settings: `vrnn search search=quick sweep=found`."""

from vrnn.cli import run_command

if __name__ == "__main__":
    run_command("search")
