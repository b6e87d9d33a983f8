"""Damages that can be done to any item of any step, in any language: what a rubric must notice.

An item is a JSON value of an artifact, an object or a text. No damage knows a word or the name of a
field: texts are distinguished from identifiers by their form, and what is put in their place comes
from the item itself, from other items, or from another plan.
"""

from __future__ import annotations

import copy
import hashlib
import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rubrics.rubric import CALL_FACTS
from self_improve.measures.tokens import main_script, scripts

_LEAST_TEXT = 4
_GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
_KEPT_OF_A_TRUNCATED = 0.6
_CLOSING = frozenset({"Po", "Pe", "Pf"})


@dataclass(frozen=True)
class Slot:
    """A place in an artifact that holds an item or a text, and can be given another."""

    holder: Any
    key: Any

    @property
    def value(self) -> Any:
        """What is there."""
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        """Put something else there."""
        self.holder[self.key] = value


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a damage may use besides the item.

    `items` are the items beside it as they were, and `number` is its own place among them;
    `foreign` are the items of the same step in another plan; `corpus` is a long text in another
    language that is written in the same script, empty if there is none; `references` are the paths
    of the fields that name something; `chance` draws, always the same for the same item.
    """

    items: Sequence[Any]
    number: int
    foreign: Sequence[Any]
    corpus: str
    references: Sequence[str]
    chance: random.Random = field(repr=False)


def slots_in(value: Any, holder: Any, key: Any) -> Iterator[Slot]:
    """Yield the slots of all texts inside a value, or of the value if it is one."""
    if isinstance(value, str):
        if is_text(value):
            yield Slot(holder, key)
    elif isinstance(value, dict | list):
        for inner, part in _parts(value):
            yield from slots_in(part, value, inner)


def _parts(value: Any) -> list[tuple[Any, Any]]:
    """Return the keys and values inside a value, without the facts of the call that it stores."""
    if isinstance(value, dict):
        return [(key, part) for key, part in value.items() if key not in CALL_FACTS]
    return list(enumerate(value)) if isinstance(value, list) else []


def is_text(string: str) -> bool:
    """Whether a string is said to somebody: it has words, and is no identifier."""
    bare = string.strip()
    if len(bare) < _LEAST_TEXT or not any(map(str.isalpha, bare)):
        return False
    return any(map(str.isspace, bare)) or not bare.isascii()


def _texts(item: Slot) -> list[Slot]:
    return list(slots_in(item.value, item.holder, item.key))


def _copied(item: Slot, other: Any) -> None:
    """Give an item the texts of another, wherever it has one itself."""
    if isinstance(item.value, str):
        texts = list(slots_in([other], None, None))
        if texts:
            item.put(str(texts[0].value))
        return
    theirs = copy.deepcopy(other)
    mine = item.value
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key, value in _parts(mine):
            if key in theirs and _has_text(value) and _has_text(theirs[key]):
                mine[key] = theirs[key]
    elif isinstance(theirs, type(mine)):
        item.put(theirs)


def _has_text(value: Any) -> bool:
    return any(True for _ in slots_in(value, [value], 0))


def _words(text: str) -> list[str]:
    """Return the words of a text, or its characters where it is written without blanks."""
    words = text.split(" ")
    return words if len(words) > 1 else list(text)


def _joined(words: Sequence[str], like: str) -> str:
    return (" " if " " in like.strip() else "").join(words)


def _donor(around: Surroundings) -> int:
    """Return the number of the item that says most: the others are made to say it."""
    return max(range(len(around.items)), key=lambda n: _said(around.items[n]))


def _said(item: Any) -> int:
    return sum(len(text.value) for text in slots_in([item], None, None))


def duplicate(item: Slot, around: Surroundings) -> bool:
    """Say what another item says."""
    donor = _donor(around)
    if len(around.items) < 2 or around.number == donor:
        return False
    _copied(item, around.items[donor])
    return True


def near_duplicate(item: Slot, around: Surroundings) -> bool:
    """Say what another item says, with a word in twelve left out."""
    if not duplicate(item, around):
        return False
    for text in _texts(item):
        words = _words(text.value)
        skipped = around.chance.randrange(12)
        rest = [word for n, word in enumerate(words) if n % 12 != skipped or len(words) < 3]
        text.put(_joined(rest, text.value))
    return True


def emptied(item: Slot, around: Surroundings) -> bool:
    """Leave all texts empty."""
    for text in _texts(item):
        text.put("")
    return True


def truncated(item: Slot, around: Surroundings) -> bool:
    """Let all texts break off."""
    for text in _texts(item):
        cut = text.value[: max(int(len(text.value) * _KEPT_OF_A_TRUNCATED), 1)]
        text.put(cut.rstrip(" .,;:!?。、！？") or cut)
    return True


def halved(item: Slot, around: Surroundings) -> bool:
    """Keep the first half of all texts, with the mark at their end."""
    for text in _texts(item):
        words = _words(text.value.rstrip())
        mark = text.value.rstrip()[-1]
        rest = _joined(words[: max(len(words) // 2, 1)], text.value).rstrip(" ,;:、")
        text.put(
            rest + (mark if unicodedata.category(mark) in _CLOSING and rest[-1:] != mark else "")
        )
    return True


def doubled(item: Slot, around: Surroundings) -> bool:
    """Say everything twice."""
    for text in _texts(item):
        text.put(_joined([text.value, text.value], text.value))
    return True


def placeholder(item: Slot, around: Surroundings) -> bool:
    """Leave a gap to be filled in, in brackets, in all texts."""
    for text in _texts(item):
        words = _words(text.value)
        middle = len(words) // 2
        letters = [sign for word in words[middle:] for sign in word if sign.isalpha()]
        gap = f"[{''.join(letters[:12]) or 'xx'}]"
        text.put(_joined([*words[:middle], gap, *words[middle + 1 :]], text.value))
    return True


def invented_figure(item: Slot, around: Surroundings) -> bool:
    """Add a percentage that nobody gave, to the longest text."""
    texts = _texts(item)
    if not texts:
        return False
    longest = max(texts, key=lambda text: len(text.value))
    number = 13 + around.chance.random() * 70
    longest.put(f"{longest.value} (+{number:.3f} %)")
    return True


def constant_justification(item: Slot, around: Surroundings) -> bool:
    """Give the longest text of another item in the field where that one gives it."""
    donor = _donor(around)
    if len(around.items) < 2 or around.number == donor:
        return False
    theirs = around.items[donor]
    if isinstance(item.value, dict) and isinstance(theirs, dict):
        field_name = max(theirs, key=lambda key: _longest(theirs[key]) if key in item.value else -1)
        mine = item.value.get(field_name)
        places = list(slots_in(mine, item.value, field_name))
        theirs = theirs[field_name]
    else:
        places = _texts(item)
    reasons = list(slots_in([theirs], None, None))
    if not places or not reasons:
        return False
    reason = max((text.value for text in reasons), key=len)
    max(places, key=lambda text: len(text.value)).put(reason)
    return True


def _longest(value: Any) -> int:
    return max((len(text.value) for text in slots_in([value], None, None)), default=0)


def wrong_reference(item: Slot, around: Surroundings) -> bool:
    """Name something that does not exist."""
    places = [slot for path in around.references for slot in _at(item.value, path.split("."))]
    for slot in places:
        slot.put(_another(slot.value, around.chance))
    return bool(places)


def _at(value: Any, keys: Sequence[str]) -> Iterator[Slot]:
    """Yield the slots of the texts and numbers at a path."""
    if not keys:
        return
    if isinstance(value, list):
        for one in value:
            yield from _at(one, keys)
        return
    key, spreads = keys[0].removesuffix("[]"), keys[0].endswith("[]")
    if not isinstance(value, dict) or key not in value:
        return
    inner = value[key]
    if keys[1:]:
        yield from _at(inner, keys[1:])
    elif isinstance(inner, list):
        yield from (Slot(inner, n) for n, one in enumerate(inner) if _is_key(one))
    elif spreads and isinstance(inner, dict):
        yield from (Slot(inner, k) for k, one in inner.items() if _is_key(one))
    elif _is_key(inner):
        yield Slot(value, key)


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _another(value: Any, chance: random.Random) -> Any:
    """Return another value of the same form."""
    if isinstance(value, int):
        return value + 100_000 + chance.randrange(100_000)
    signs = []
    for sign in value:
        if sign in "0123456789abcdef" and not any(map(str.isspace, value)):
            signs.append(chance.choice("0123456789" if sign.isdigit() else "abcdef"))
        elif sign.isalpha() and sign.isascii():
            shifted = chance.choice("bcdfghjklmnpqrstvwxz")
            signs.append(shifted.upper() if sign.isupper() else shifted)
        else:
            signs.append(sign)
    return "".join(signs) if "".join(signs) != value else value + value


def dropped_member(item: Slot, around: Surroundings) -> bool:
    """Keep the first member of every list inside."""
    lists = [one for one in _lists(item.value) if len(one) > 1]
    for one in lists:
        del one[1:]
    return bool(lists)


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
    for _, part in _parts(value):
        yield from _lists(part)


def another_language(item: Slot, around: Surroundings) -> bool:
    """Say something of the same length in another language that is written in the same script."""
    if not around.corpus:
        return False
    for text in _texts(item):
        start = around.chance.randrange(max(len(around.corpus) - len(text.value), 1))
        passage = around.corpus[start : start + len(text.value) + 20]
        first = passage.find(" ") + 1 if " " in text.value.strip() else 0
        cut = passage[first : first + len(text.value)].rstrip(" ,;:")
        mark = text.value.rstrip()[-1:]
        text.put(cut + (mark if mark and unicodedata.category(mark) in _CLOSING else ""))
    return True


def another_script(item: Slot, around: Surroundings) -> bool:
    """Write every letter in another script."""
    for text in _texts(item):
        text.put(
            "".join(
                _GREEK[ord(sign.lower()) % 24] if sign.isalpha() else sign for sign in text.value
            )
        )
    return True


def of_another_plan(item: Slot, around: Surroundings) -> bool:
    """Say what an item of another plan says."""
    if not around.foreign:
        return False
    _copied(item, around.foreign[around.number % len(around.foreign)])
    return True


Damage = Callable[[Slot, Surroundings], bool]
DAMAGES: dict[str, Damage] = {
    "duplicate": duplicate,
    "near-duplicate": near_duplicate,
    "emptied": emptied,
    "truncated": truncated,
    "halved": halved,
    "doubled": doubled,
    "placeholder": placeholder,
    "invented figure": invented_figure,
    "constant justification": constant_justification,
    "wrong reference": wrong_reference,
    "dropped list member": dropped_member,
    "another language": another_language,
    "another script": another_script,
    "text of another plan": of_another_plan,
}
"""Each returns whether it could be done to the item. `lost items` and `one model only` are done to
whole cells."""

LOST_ITEMS, ONE_MODEL = "lost items", "one model only"
MIXED = ("duplicate", "emptied", "placeholder", "another script", "halved")
"""What happens in turn to the items of the one model that is damaged."""


def chance_of(*parts: object) -> random.Random:
    """Return a source of chance that is the same for the same names."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).digest()
    return random.Random(digest)


def written_in(text: str) -> str | None:
    """Return the script that a text is mostly written in."""
    return main_script(scripts(text[:20_000]))
