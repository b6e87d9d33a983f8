"""Runs a command in the sandbox: `python -P -m self_improve.sandbox.launch BOUNDS COMMAND...`.

BOUNDS are JSON. The command takes this process's place, or that of the first process of a table of
its own; whatever it has started is gone when it ends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from model_gateway import kernel
from self_improve.host.contract import own_code
from self_improve.sandbox import confinement, namespaces
from self_improve.sandbox.bounds import Bounds
from self_improve.sandbox.confinement import SandboxError

REFUSED = 126


def words(bounds: Bounds, command: Sequence[str]) -> list[str]:
    """Return the words that run `command` within `bounds`."""
    row = json.dumps(bounds.to_row())
    start = f"import sys; sys.path.insert(0, {str(own_code())!r}); "
    start += "from self_improve.sandbox.launch import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", start, row, *command]


def main() -> int:
    """Confine this process, and become the command."""
    kernel.die_with_parent()
    try:
        apart = namespaces.separate(confinement.known_machine())
        confinement.confine(Bounds.from_row(json.loads(sys.argv[1])), apart)
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command is the user's
    except (SandboxError, OSError) as error:
        sys.stderr.write(f"{error}\n")
    return REFUSED
