"""Lets `python -m self_improve.rollback` run the command of this package."""

from self_improve.rollback.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
