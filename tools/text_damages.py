"""Damages to what an item says by itself: nothing is taken from other items."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tools.slots import Slot, slots_in
from tools.surroundings import Surroundings

_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_KEPT_OF_A_TRUNCATED = 0.6
_NEXT_TO_NOTHING = ("{", "[{", "```", "-", "\u2026")
_PHRASE, _LIMIT = 5, 4000
"""How many words a loop repeats, and the characters at which the limit of a reply ends it."""
CLOSING = frozenset({"Po", "Pe", "Pf"})


def texts_of(item: Slot) -> list[Slot]:
    """Return the slots of all texts of an item."""
    return list(slots_in(item.value, item.holder, item.key))


def words_of(text: str) -> list[str]:
    """Return the words of a text, or its characters where it is written without blanks."""
    words = text.split(" ")
    return words if len(words) > 1 else list(text)


def joined(words: Sequence[str], like: str) -> str:
    """Return words in one, with blanks between them if another text has some."""
    return (" " if " " in like.strip() else "").join(words)


def emptied(item: Slot, around: Surroundings) -> bool:
    """Leave all texts empty."""
    for text in texts_of(item):
        text.put("")
    return True


def truncated(item: Slot, around: Surroundings) -> bool:
    """Let all texts break off."""
    for text in texts_of(item):
        cut = text.value[: max(int(len(text.value) * _KEPT_OF_A_TRUNCATED), 1)]
        text.put(cut.rstrip(" .,;:!?。、！？") or cut)
    return True


def halved(item: Slot, around: Surroundings) -> bool:
    """Keep the first half of all texts, with the mark at their end."""
    for text in texts_of(item):
        words = words_of(text.value.rstrip())
        mark = text.value.rstrip()[-1]
        rest = joined(words[: max(len(words) // 2, 1)], text.value).rstrip(" ,;:、")
        text.put(
            rest + (mark if unicodedata.category(mark) in CLOSING and rest[-1:] != mark else "")
        )
    return True


def doubled(item: Slot, around: Surroundings) -> bool:
    """Say everything twice."""
    for text in texts_of(item):
        text.put(joined([text.value, text.value], text.value))
    return True


def next_to_nothing(item: Slot, around: Surroundings) -> bool:
    """Leave the few signs that a small model sends for a reply, in all texts."""
    for text in texts_of(item):
        text.put(around.chance.choice(_NEXT_TO_NOTHING))
    return True


def looped(item: Slot, around: Surroundings) -> bool:
    """Say the last words of the first half again and again until the limit, in the last text."""
    texts = texts_of(item)
    if not texts:
        return False
    words = words_of(texts[-1].value)
    half = words[: max(len(words) // 2, 1)]
    phrase = half[-_PHRASE:]
    size = max(len(joined(phrase, texts[-1].value)), 1)
    said = joined(half + phrase * (_LIMIT // size + 1), texts[-1].value)
    texts[-1].put(said[:_LIMIT])
    return True


def placeholder(item: Slot, around: Surroundings) -> bool:
    """Leave a gap to be filled in, in brackets, in all texts."""
    for text in texts_of(item):
        words = words_of(text.value)
        middle = len(words) // 2
        letters = [sign for word in words[middle:] for sign in word if sign.isalpha()]
        gap = f"[{''.join(letters[:12]) or 'xx'}]"
        text.put(joined([*words[:middle], gap, *words[middle + 1 :]], text.value))
    return True


def invented_figure(item: Slot, around: Surroundings) -> bool:
    """Add a percentage that nobody gave, to the longest text."""
    texts = texts_of(item)
    if not texts:
        return False
    longest = max(texts, key=lambda text: len(text.value))
    number = 13 + around.chance.random() * 70
    longest.put(f"{longest.value} (+{number:.3f} %)")
    return True


def another_script(item: Slot, around: Surroundings) -> bool:
    """Write every letter in another script."""
    for text in texts_of(item):
        text.put(
            "".join(
                _GREEK[ord(sign.lower()) % 24] if sign.isalpha() else sign for sign in text.value
            )
        )
    return True
