"""`python -m self_improve.rollout`."""

from self_improve.rollout.command_line import main

raise SystemExit(main())
