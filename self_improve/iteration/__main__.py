"""Lets `python -m self_improve.iteration` run the command of this package."""

from self_improve.iteration.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
