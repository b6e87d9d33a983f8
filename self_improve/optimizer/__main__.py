"""Lets `python -m self_improve.optimizer` run the command of this package."""

from self_improve.optimizer.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
