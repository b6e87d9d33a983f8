"""Any number of different short names from a plan's words."""

from __future__ import annotations

from collections.abc import Collection

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.draw import Stream
from model_gateway.providers.simulated.words import Lexicon

_FEWEST, _MOST = 2, 4
_LONGEST_SPACELESS = 8
_TRIES = 24
_ALIKE = 0.6


def new_name(
    lexicon: Lexicon, stream: Stream, mean_words: float, taken: Collection[frozenset[str]]
) -> tuple[str, frozenset[str]]:
    """Return a name unlike the `taken` ones, and the set of its words.

    Names that share most of their words are avoided as long as the text offers others.
    """
    best: tuple[str, ...] = ()
    for tries in range(_TRIES):
        chosen = _combination(lexicon, stream, mean_words)
        bag = frozenset(word.casefold() for word in chosen)
        if bag not in taken:
            best = chosen
            if tries > _TRIES // 2 or not any(_alike(bag, other) for other in taken):
                break
    if not best:
        number = str(len(taken) + 1)
        chosen = (*chosen, number)
        return _written(chosen, lexicon), frozenset({*bag, number})
    return _written(best, lexicon), frozenset(word.casefold() for word in best)


def _combination(lexicon: Lexicon, stream: Stream, mean_words: float) -> tuple[str, ...]:
    count = min(_MOST, max(_FEWEST, round(mean_words + 0.7 * stream.normal())))
    chosen: dict[str, None] = {}
    for _ in range(2 * count):
        word = stream.pick(lexicon.content)
        length = sum(map(len, chosen)) + len(word)
        if not (lexicon.spaceless and chosen and length > _LONGEST_SPACELESS):
            chosen[word] = None
        if len(chosen) == count:
            break
    return tuple(chosen)


def _written(chosen: tuple[str, ...], lexicon: Lexicon) -> str:
    name = words.join([words.capitalised(word) for word in chosen])
    return name[:_LONGEST_SPACELESS] if lexicon.spaceless and len(chosen) == 1 else name


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _ALIKE * len(one | other)
