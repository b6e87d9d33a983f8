"""Lets `python -m self_improve.generators` run the command of this package."""

from self_improve.generators.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
