"""Whether code is confined: all code is, but the user's own checkout."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from self_improve.errors import UsageError
from self_improve.sandbox import confinement

VARIABLE = "PLUMBLINE_SANDBOX"
UNSAFE = "none (--unsafe-no-sandbox)"
"""How records name the sandbox of code that should have had one."""


class Sandboxing(StrEnum):
    """What the user wants: `auto` confines all code but the user's own checkout."""

    auto = "auto"
    always = "always"
    never = "never"


def wished(word: str | None) -> Sandboxing:
    """Return what a flag says or, without one, the environment.

    Raises:
        UsageError: the word is unknown.
    """
    word = word or os.environ.get(VARIABLE, "").strip() or Sandboxing.auto
    try:
        return Sandboxing(word)
    except ValueError as error:
        raise UsageError(f"{VARIABLE}={word!r} is none of {', '.join(Sandboxing)}.") from error


def confines(sandboxing: Sandboxing, *, code: Path, own_tree: Path) -> bool:
    """Whether the code in `code` is to be confined; `own_tree` is the user's own checkout.

    Raises:
        UsageError: it is, and this machine cannot.
    """
    if sandboxing is Sandboxing.never or (sandboxing is Sandboxing.auto and code == own_tree):
        return False
    missing = confinement.lacking()
    if missing is not None:
        raise UsageError(
            f"{code} is not run, because nothing here keeps it from your keys and files: "
            f"{missing}. Say --unsafe-no-sandbox if you trust it as you trust your own code."
        )
    return True


def recorded(sandbox: str | None, *, code: Path, own_tree: Path) -> str | None:
    """Return how a record names the sandbox, None for the user's own checkout without one."""
    return sandbox or (None if code == own_tree else UNSAFE)
