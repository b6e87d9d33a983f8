"""The command line of the loops: its flags, their help, and what they mean together."""

from __future__ import annotations

import argparse

from model_gateway import arguments
from self_improve.iteration import options as of_iterations

PATIENCE = 3
STAGES = (1, 2, 3)

EXAMPLES = """\
examples:
  # one iteration of a step, with one proposed candidate
  python -m self_improve.optimizer --stages 1 --steps plan_type --models haiku --max-cost 5

  # go on from the best so far until three iterations in a row gain nothing beyond the noise
  python -m self_improve.optimizer --stages 2 --steps plan_type --models haiku --max-cost 20

  # one step after the other, upstream first, each on what the improved ones before it wrote
  python -m self_improve.optimizer --stages 3 --steps identify_purpose,plan_type \\
      --models sim,sim-weak --skip-spot-check

The same command goes on where an interrupted one stopped, and with a higher stage, patience or cap
where a finished one ended. The caps hold over all iterations of the loop together.

exit codes: 0 nothing more to gain · 2 wrong usage or configuration · 3 budget reached ·
130 interrupted
"""


def parser(prog: str = "python -m self_improve.optimizer") -> argparse.ArgumentParser:
    """Return the parser of the loops."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Improve steps by iterations, each from the best so far.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    loop = made.add_argument_group("the loop")
    loop.add_argument(
        "--stages", type=int, choices=STAGES, default=2,
        help="1: one iteration; 2: iterations of one step until nothing more is gained; "
        "3: one step after the other (default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--steps", metavar="A,B",
        help="the steps, in any order (default for stage 3: all that have a rubric)",
    )  # fmt: skip
    loop.add_argument(
        "--candidates", type=arguments.positive, default=1, metavar="N",
        help="how many candidates an iteration has proposed (default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--generator", default="reflective", metavar="NAME",
        help="what proposes them; `plumbline generators` lists all (default: %(default)s)",
    )  # fmt: skip
    of_iterations.small(loop)
    loop.add_argument(
        "--from-synthesis", action="store_true",
        help="take the directions of the step's latest synthesis as candidates",
    )  # fmt: skip
    loop.add_argument(
        "--patience", type=arguments.positive, default=PATIENCE, metavar="K",
        help="end when the last K iterations gained nothing beyond the noise "
        "(default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--force", action="store_true", help="search also where there is next to nothing to gain"
    )
    loop.add_argument(
        "--full-plan-every", type=arguments.whole, metavar="N",
        help="after every N steps and after the last one make a whole verify plan with what was "
        "kept, and compare it; 0 is never (default: once at the end of stage 3)",
    )  # fmt: skip
    of_iterations.where(made.add_argument_group("on what"))
    of_iterations.phases(made.add_argument_group("phases"))
    of_iterations.limits(made.add_argument_group("limits"))
    made.set_defaults(max_iterations=None)
    return made
