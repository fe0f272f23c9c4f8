"""`python -m vrnn`: the command `vrnn`."""

from vrnn.cli import main

if __name__ == "__main__":
    main()
