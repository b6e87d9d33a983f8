"""Names for the calls of code that does not name them: a digest of the content, and a count.

A retry by the asking code (an SDK's, tenacity's) sends the same content again. It must join the
call that has used up its attempts, or the bound on attempts per call would not hold.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from model_gateway.attempt import Message, digest_of

_DIGITS = 12


class Repeatable(Protocol):
    """A call that knows whether a repeated question continues it."""

    def answers_repeats(self) -> bool:
        """Whether a repeated question continues this call: it failed, or nobody got its end."""
        ...


C = TypeVar("C", bound=Repeatable)


class Occurrences(Generic[C]):
    """The calls of one cell by their content. Threads may share it."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, list[C]] = defaultdict(list)
        self._lock = threading.Lock()

    def call(
        self, messages: list[Message], schema: dict[str, Any] | None, begin: Callable[[str, int], C]
    ) -> C:
        """Return the call that this repeats, or start a new one with `begin`.

        `begin` gets its key, and how many calls there were before it. The key is
        `<digest of messages and schema>.<occurrence>`. Since failed calls are continued, the
        occurrence counts the calls with the same content that were answered or are unfinished.
        """
        content = digest_of(messages, schema)[:_DIGITS]
        with self._lock:
            calls = self._calls[content]
            for earlier in calls:
                if earlier.answers_repeats():
                    return earlier
            index = sum(map(len, self._calls.values()))
            calls.append(begin(f"{content}.{len(calls)}", index))
            return calls[-1]
