"""YAML of plain kinds: no tags, no references, bounded depth, and keys that are there once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml


def loaded(data: bytes | str, *, depth: int) -> tuple[Any, list[str]]:
    """Return the value of one YAML document, and a line for each key that is there twice.

    Raises:
        ValueError: it is not YAML, is nested deeper than `depth`, or holds what is not plain.
    """
    try:
        loader = _Loader(data, depth)
        try:
            return loader.get_single_data(), loader.problems
        finally:
            loader.dispose()
    # Its constructors of numbers and dates raise whatever a bad one happens to cause.
    except (yaml.YAMLError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        cause = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ValueError(f"{cause}{where}") from error
    except RecursionError:
        raise ValueError("it is nested too deep") from None


class _Loader(yaml.SafeLoader):
    """Reports duplicate keys, of which YAML keeps the last, and refuses what could grow."""

    def __init__(self, data: bytes | str, depth: int) -> None:
        super().__init__(data)
        self.problems: list[str] = []
        self._room = depth

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._refuse("a reference (*name) is not taken here", event)
        if getattr(event, "tag", None) not in {None, "!"}:
            self._refuse(f"a tag ({event.tag}) is not taken here", event)
        if self._room <= 0:
            self._refuse("it is nested too deep", event)
        self._room -= 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._room += 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - as PyYAML calls it
        keys = Counter(key.value for key, _ in node.value if isinstance(key.value, str))
        line = node.start_mark.line + 1
        self.problems += [f"line {line}: {key!r} is there twice" for key in keys if keys[key] > 1]
        return super().construct_mapping(node, deep)

    @staticmethod
    def _refuse(problem: str, event: Any) -> None:
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
