"""Plants effects of a known size: damages a share of the recorded items, and takes the verdict.

The sides are runs without a change between them, so the planted effect has the noise of real runs.
Damage on the side after should be REJECT; the same comparison read backwards is a repair, and
should be KEEP.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway import temporary
from prompt_lab.baselines import Baselines
from self_improve.comparison.sides import measure_sides
from self_improve.measures.measurer import Measurer
from self_improve.verdict import Word, word
from self_improve.verdict.looks import order
from self_improve.verdict.pairing import Pairing
from tools import recorded_comparisons as recorded
from tools import unpacked
from tools.relabelling import mirrored

SHARES = (0.1, 0.2, 0.4, 0.8)
COUNTS = (10, 20, 35, 70)
DRAWS, FLIPS, PROCESSES = 30, 2000, 2
_REVIEWS = ("review", "review_lever")
_GREEK = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "αβψδεφγηιξκλμνοπχρστθωςτυζΑΒΨΔΕΦΓΗΙΞΚΛΜΝΟΠΧΡΣΤΘΩΣΤΥΖ",
)
Item = dict[str, Any]


def _duplicate(item: Item, number: float) -> None:
    """Give an item one of three names."""
    item["name"] = f"Phase {'ABC'[int(number * 3)]} of the undertaking"


def _opener(item: Item, number: float) -> None:
    """Let the review begin like all the others."""
    for key in _REVIEWS:
        if isinstance(item.get(key), str):
            item[key] = f"Weighing pace against care and cost, {item[key]}"


def _drop(item: Item, number: float) -> None:
    """Keep only the first option of an item."""
    if isinstance(item.get("options"), list):
        item["options"] = item["options"][:1]


def _invent(item: Item, number: float) -> None:
    """Add two percentages that are in no plan."""
    percentage = round(number * 70 + 13.37, 2)
    item["consequences"] = f"{item.get('consequences')} +{percentage} %, -{percentage / 3:.2f} %."


def _shorten(item: Item, number: float) -> None:
    """Keep a fifth of each long text."""
    for key in ("consequences", *_REVIEWS):
        if isinstance(item.get(key), str):
            item[key] = item[key][: max(1, len(item[key]) // 5)]


def _script(item: Item, number: float) -> None:
    """Write an item in another script."""
    for key, value in item.items():
        if isinstance(value, str):
            item[key] = value.translate(_GREEK)
        elif isinstance(value, list):
            item[key] = [one.translate(_GREEK) if isinstance(one, str) else one for one in value]


DAMAGES: dict[str, Callable[[Item, float], None]] = {
    "duplicate names": _duplicate,
    "a copied opener": _opener,
    "dropped options": _drop,
    "invented numbers": _invent,
    "shortened texts": _shorten,
    "another script": _script,
}


@dataclass(frozen=True, kw_only=True)
class Power:
    """How often a planted effect was detected: shares of REJECT, and of KEEP read backwards."""

    damage: str
    share: float
    pairs: int
    rejected: float
    kept: float
    wrong: float


def planted(damage: str, share: float) -> Pairing:
    """Return the pairs of both comparisons without a change, the side after damaged."""
    with temporary.opened("planted") as name:
        folder = Path(name)
        before: list[Path] = []
        after: list[Path] = []
        for number in recorded.ALIKE:
            one = recorded.iterations()[number]
            before += one.before
            after += [_damaged(path, folder / number, damage, share) for path in one.after]
        measurer = Measurer(recorded.rubric(), baselines=Baselines((unpacked.plans("train"),)))
        return measure_sides(before, after, measurer).pairing


def _damaged(path: Path, folder: Path, damage: str, share: float) -> Path:
    """Copy a run with a share of its items damaged, in replies and cleaned form alike."""
    target = folder / path.parent.name / path.name
    shutil.copytree(path, target)
    for file in sorted(target.glob("outputs/*/*potential_levers*.json")):
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            continue
        for item in _items(value):
            _damage(item, f"{file.parent.name}/{path.name}", damage, share)
        file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return target


def _items(value: Any) -> Iterable[Item]:
    lists = value if isinstance(value, list) else value.get("levers")
    yield from (item for item in lists or () if isinstance(item, dict))
    if isinstance(value, dict):
        for reply in value.get("responses") or ():
            levers = reply.get("levers") if isinstance(reply, dict) else None
            yield from (item for item in levers or () if isinstance(item, dict))


def _damage(item: Item, where: str, damage: str, share: float) -> None:
    """Damage a share of the items; a reply's item and its cleaned form draw the same number."""
    text = f"{where}/{item.get('consequences')}".encode("utf-8", "replace")
    lot = hashlib.sha256(text).digest()
    if int.from_bytes(lot[:4], "big") / 2**32 < share:
        DAMAGES[damage](item, int.from_bytes(lot[4:8], "big") / 2**32)


def powers(damage: str, share: float) -> list[Power]:
    """Return how often a planted effect is detected with each number of pairs."""
    pairing = planted(damage, share)
    by = recorded.terms(flips=FLIPS)
    keys = [pair.key for pair in pairing.pairs]
    results = []
    for count in COUNTS:
        words: Counter[tuple[str, Word]] = Counter()
        draws = 1 if count >= len(keys) else DRAWS
        for draw in range(draws):
            part = pairing.only(order(keys, seed=draw)[:count])
            words["damage", word(part, by)] += 1
            words["repair", word(mirrored(part), by)] += 1
        wrong = words["damage", Word.keep] + words["repair", Word.reject]
        results.append(
            Power(
                damage=damage, share=share, pairs=count,
                rejected=words["damage", Word.reject] / draws,
                kept=words["repair", Word.keep] / draws, wrong=wrong / 2 / draws,
            )
        )  # fmt: skip
    return results


def table() -> list[Power]:
    """Return the power for every damage, share and number of pairs."""
    recorded.iterations()
    for number in recorded.ALIKE:
        recorded.pairing(number)
    cases = [(damage, share) for damage in DAMAGES for share in SHARES]
    with ProcessPoolExecutor(PROCESSES) as pool:
        return [one for results in pool.map(powers, *zip(*cases, strict=True)) for one in results]


if __name__ == "__main__":
    for one in table():
        print(one)
