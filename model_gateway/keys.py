"""Finds keys in the environment, and removes them from all texts that are stored or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
_SHORTEST_NAMED = 6
_SHORTEST_GUESSED = 12
HIDDEN = "[key hidden]"


def is_secret_name(name: str) -> bool:
    """Whether an environment variable of this name may hold a key."""
    return bool(_SECRET_NAME.search(name))


def without_keys(environment: Mapping[str, str], *, also: Iterable[str] = ()) -> dict[str, str]:
    """Return `environment` without the variables that hold keys, for a child that needs none."""
    named = set(also)
    return {
        name: value
        for name, value in environment.items()
        if name not in named and not is_secret_name(name)
    }


class Redactor:
    """Replaces every known key in a text.

    Keys are the values of the variables in `names`, and of every variable whose name looks like
    a key's and whose value is long enough.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        named = {os.environ.get(name, "") for name in names}
        guessed = {value for name, value in os.environ.items() if is_secret_name(name)}
        values = {v for v in named if len(v) >= _SHORTEST_NAMED}
        values |= {v for v in guessed if len(v) >= _SHORTEST_GUESSED and "/" not in v}
        long_first = sorted(values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, long_first))) if long_first else None

    def __call__(self, text: str) -> str:
        """Return `text` with every key replaced."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)
