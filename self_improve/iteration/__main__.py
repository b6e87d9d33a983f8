"""`python -m self_improve.iteration`."""

from self_improve.iteration.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
