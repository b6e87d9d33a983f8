"""Lets `python -m self_improve.rollout` run the commands of this package."""

from self_improve.rollout.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
