"""Random numbers by name, so that two runs with different prompts draw the same ones."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
Part = str | int
_WORDS = struct.Struct("16I")
_UNIT = 1 / 2**32


class Stream:
    """A sequence of uniform numbers that depends only on the names of its stream."""

    __slots__ = ("_block", "_hash", "_left")

    def __init__(self, root: hashlib.blake2b) -> None:
        self._hash = root
        self._block = 0
        self._left: list[float] = []

    def unit(self) -> float:
        """Return the next number in [0, 1)."""
        if not self._left:
            block = self._hash.copy()
            block.update(b"#%d" % self._block)
            self._block += 1
            self._left = [word * _UNIT for word in _WORDS.unpack(block.digest())]
        return self._left.pop()

    def below(self, bound: int) -> int:
        """Return the next whole number in [0, bound)."""
        return int(self.unit() * bound)

    def chance(self, probability: float) -> bool:
        """Return True with this probability; this uses up one number either way."""
        return self.unit() < probability

    def normal(self) -> float:
        """Return a number of mean 0 and variance 1, never beyond 3 (a sum of three uniforms)."""
        return 2 * (self.unit() + self.unit() + self.unit()) - 3

    def pick(self, things: Sequence[T]) -> T:
        """Return one of `things`."""
        return things[int(self.unit() * len(things))]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return `things` in a random order."""
        rest = list(things)
        return [rest.pop(self.below(len(rest))) for _ in things]


class Draw:
    """Streams by name; `names` are seed, plan, repeat, call, attempt and persona."""

    def __init__(self, *names: Part) -> None:
        self._root = hashlib.blake2b(repr(names).encode("utf-8", "replace"), digest_size=64)

    def at(self, path: Sequence[Part], purpose: str = "") -> Stream:
        """Return the stream of one place in the reply, such as ("levers", 3, "name")."""
        root = self._root.copy()
        root.update(repr((*path, purpose)).encode("utf-8", "replace"))
        return Stream(root)
