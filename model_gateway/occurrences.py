"""Names for the calls of code that names none: what was asked, and how often it was asked before.

A retry by the asking code (an SDK's, tenacity's) asks the same thing again. It must join the
call that already used up its attempts, or the one bound on attempts per call would not hold.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from model_gateway.attempt import Message, digest_of

_DIGITS = 12


class Repeatable(Protocol):
    """A call that knows whether a repetition of it has to share its end."""

    def takes_repetition(self) -> bool:
        """Whether who asks the same again means this call: it failed, or nobody heard its end."""
        ...


C = TypeVar("C", bound=Repeatable)


class Occurrences(Generic[C]):
    """The calls of one cell by what they ask. Threads may share it."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, list[C]] = defaultdict(list)
        self._lock = threading.Lock()

    def call(
        self, messages: list[Message], schema: dict[str, Any] | None, begin: Callable[[str, int], C]
    ) -> C:
        """Return the call that this repeats, or what `begin` makes of a new one.

        `begin` is given its key, and how many calls there were before it.

        The key is `<digest of messages and schema>.<occurrence>`. Since failed calls are
        repeated rather than begun again, the occurrence counts the calls with the same content
        that were answered or are under way.
        """
        content = digest_of(messages, schema)[:_DIGITS]
        with self._lock:
            calls = self._calls[content]
            for earlier in calls:
                if earlier.takes_repetition():
                    return earlier
            place = sum(map(len, self._calls.values()))
            calls.append(begin(f"{content}.{len(calls)}", place))
            return calls[-1]
