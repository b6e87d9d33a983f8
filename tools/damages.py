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
from collections.abc import Callable
from typing import Any

from self_improve.measures.tokens import main_script, scripts
from tools import text_damages
from tools.slots import Slot, lists_in, parts_of, slots_at, slots_in
from tools.surroundings import Surroundings
from tools.text_damages import CLOSING, joined, texts_of, words_of


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
        for key, value in parts_of(mine):
            if key in theirs and _has_text(value) and _has_text(theirs[key]):
                mine[key] = _no_longer(theirs[key], value)
    elif isinstance(theirs, type(mine)):
        item.put(theirs)


def _no_longer(value: Any, than: Any) -> Any:
    """Return a list with at most as many entries as another: to copy is not to say more."""
    return value[: len(than)] if isinstance(value, list) and isinstance(than, list) else value


def _has_text(value: Any) -> bool:
    return any(True for _ in slots_in(value, [value], 0))


def duplicate(item: Slot, around: Surroundings) -> bool:
    """Say what another item says."""
    if len(around.items) < 2 or around.number == around.donor:
        return False
    _copied(item, around.items[around.donor])
    return True


def near_duplicate(item: Slot, around: Surroundings) -> bool:
    """Say what another item says, with a word in twelve left out."""
    if not duplicate(item, around):
        return False
    for text in texts_of(item):
        words = words_of(text.value)
        skipped = around.chance.randrange(12)
        rest = [word for n, word in enumerate(words) if n % 12 != skipped or len(words) < 3]
        text.put(joined(rest, text.value))
    return True


def constant_justification(item: Slot, around: Surroundings) -> bool:
    """Give the longest text of another item in the field where that one gives it."""
    if len(around.items) < 2 or around.number == around.donor:
        return False
    theirs = around.items[around.donor]
    if isinstance(item.value, dict) and isinstance(theirs, dict):
        field_name = max(theirs, key=lambda key: _longest(theirs[key]) if key in item.value else -1)
        mine = item.value.get(field_name)
        places = list(slots_in(mine, item.value, field_name))
        theirs = theirs[field_name]
    else:
        places = texts_of(item)
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
    places = [slot for path in around.references for slot in slots_at(item.value, path.split("."))]
    for slot in places:
        slot.put(_another(slot.value, around.chance))
    return bool(places)


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
    lists = [one for one in lists_in(item.value) if len(one) > 1]
    for one in lists:
        del one[1:]
    return bool(lists)


def another_language(item: Slot, around: Surroundings) -> bool:
    """Say something of the same length in another language that is written in the same script."""
    if not around.corpus:
        return False
    for text in texts_of(item):
        start = around.chance.randrange(max(len(around.corpus) - len(text.value), 1))
        passage = around.corpus[start : start + len(text.value) + 20]
        first = passage.find(" ") + 1 if " " in text.value.strip() else 0
        cut = passage[first : first + len(text.value)].rstrip(" ,;:")
        mark = text.value.rstrip()[-1:]
        text.put(cut + (mark if mark and unicodedata.category(mark) in CLOSING else ""))
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
    "emptied": text_damages.emptied,
    "truncated": text_damages.truncated,
    "halved": text_damages.halved,
    "doubled": text_damages.doubled,
    "next to nothing": text_damages.next_to_nothing,
    "looped": text_damages.looped,
    "placeholder": text_damages.placeholder,
    "invented figure": text_damages.invented_figure,
    "constant justification": constant_justification,
    "wrong reference": wrong_reference,
    "dropped list member": dropped_member,
    "another language": another_language,
    "another script": text_damages.another_script,
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
