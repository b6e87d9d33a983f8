"""Names that models give: when two are the same, and which items have one of their own."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def normalized(name: str) -> str:
    """Return a name without what does not distinguish names: case, width, punctuation, spaces.

    Letters and digits stay, and the combining marks on them, which in many scripts are vowels.
    Case and width go as in a compatibility caseless match (Unicode, definition D146).
    """
    folded = name
    for form in ("NFD", "NFKD"):
        folded = unicodedata.normalize(form, folded).casefold()
    text = ""
    for sign in unicodedata.normalize("NFKC", folded):
        is_mark = unicodedata.category(sign).startswith("M") and text[-1:].strip() != ""
        text += sign if is_mark or sign.isalnum() else " "
    return " ".join(text.split())


def distinct(
    items: Iterable[T],
    name_of: Callable[[T], str],
    *,
    key: str = "name",
    most: int | None = None,
    kind: str = "items",
) -> tuple[list[T], list[dict[str, str]]]:
    """Return the items that have a name of their own, at most `most`, and the refused others.

    A refused item is recorded as its name, under `key`, and the reason.
    """
    accepted: dict[str, T] = {}
    refused = []
    for item in items:
        name = normalized(name_of(item))
        if not name:
            reason = f"no {key}"
        elif name in accepted:
            reason = f"{key} already there"
        elif len(accepted) == most:
            reason = f"more than {most} {kind}"
        else:
            accepted[name] = item
            continue
        refused.append({key: name_of(item), "reason": reason})
    return list(accepted.values()), refused
