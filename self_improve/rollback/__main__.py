"""`python -m self_improve.rollback`."""

from self_improve.rollback.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
