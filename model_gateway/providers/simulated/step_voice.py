"""The words of a step model: fragments of the plan, under the effects of the prompt's form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from model_gateway.providers.simulated import kinds, names, rules, words
from model_gateway.providers.simulated.draw import Draw, Stream
from model_gateway.providers.simulated.manner import Manner, TextManner
from model_gateway.providers.simulated.persona import Persona
from model_gateway.providers.simulated.referrer import Path
from model_gateway.providers.simulated.rules import Rules
from model_gateway.providers.simulated.shape import Shape
from model_gateway.providers.simulated.words import Lexicon

_SENTENCE = 14
_FAVOURITES = 8
_MOST_PHRASES = 8
_FRAGMENT = 3
_SHORTER = 0.75
_ON_TOPIC = 0.5
_TURN = 0.381966  # the golden section, which spreads turned numbers evenly
_PIECES_A_WORD = 0.75
_AVOID_STATEMENTS = 2.0


class StepVoice:
    """Writes the texts, names and counts of one reply.

    `listed` are names that the material already lists. `turns` counts the earlier replies with a
    complaint. `habits` are the streams that all calls of a plan share.
    """

    def __init__(
        self,
        *,
        persona: Persona,
        strengths: Rules,
        manner: Manner,
        lexicon: Lexicon,
        listed: frozenset[str],
        draw: Draw,
        habits: Draw,
        turns: int = 0,
    ) -> None:
        self._persona = persona
        self._manner = manner
        self._lexicon = lexicon
        self._listed = listed
        self._draw = draw
        self._habits = habits
        self._shrink = _SHORTER**turns
        statements = manner.name_statements + (_AVOID_STATEMENTS if listed else 0.0)
        self._duplicate, self._repeat = (
            rules.slip_chance(
                strengths,
                base,
                heed=persona.heed,
                statements=statements,
                obedience=manner.obedience,
            )
            for base in (persona.duplicate, persona.repeat)
        )
        self._avoids = rules.within(strengths.heed * persona.heed * manner.obedience)
        self._names: defaultdict[Path, dict[str, frozenset[str]]] = defaultdict(dict)
        self._texts: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        self._planned: defaultdict[Path, list[str]] = defaultdict(list)

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Choose which phrases and placeholders of the prompt this item leaks, and where."""
        manner = self._manner
        if not manner.phrases and not manner.placeholders:
            return {}
        stream = self._draw.at(path, "leaks")
        paths = [
            (*path, p.name) if p.kind == "string" else (*path, p.name, 0)
            for p in shape.properties
            if _holds_text(p)
        ]
        for phrase, chance in manner.phrases[:_MOST_PHRASES]:
            leaks, where = stream.chance(chance), stream.unit()
            if leaks and paths:
                self._planned[paths[int(where * len(paths))]].append(phrase)
        leaks, where, which = stream.chance(manner.placeholder), stream.unit(), stream.unit()
        if leaks and paths:
            span = manner.placeholders[int(which * len(manner.placeholders))]
            self._planned[paths[int(where * len(paths))]].append(span)
        return {}

    def count(self, shape: Shape, path: Path) -> int:
        """Return the length of a list: the prompt's mean, with the persona's noise."""
        manner = self._manner.counts[shape.path]
        stream = self._draw.at(path, "count")
        drawn, more, how_many, less, missing = (
            stream.normal(), stream.unit(), stream.below(3), stream.unit(), stream.unit(),
        )  # fmt: skip
        count = round(manner.mean + manner.noise * drawn)
        if manner.outer:
            count += (1 + how_many) * (more < self._persona.overshoot)
            count -= less < self._persona.undershoot
        count -= missing < manner.missing
        count = max(manner.low, count)
        return count if manner.high is None else min(count, manner.high)

    def name(self, shape: Shape, path: Path) -> str:
        """Return a name from the plan's words; slips repeat one of this reply or of other calls."""
        stream = self._draw.at(path)
        again, common, obeys, which = stream.unit(), stream.unit(), stream.unit(), stream.unit()
        taken = self._names[_without_index(path)]
        if taken and again < self._duplicate:
            return list(taken)[int(which * len(taken))]
        if common < self._repeat:
            favourite = self._favourites[int(which * _FAVOURITES) % len(self._favourites)]
            avoided = favourite.casefold() in self._listed and obeys < self._avoids
            if favourite not in taken and not avoided:
                taken[favourite] = frozenset(words.chunks(favourite.casefold()))
                return favourite
        for _ in range(3):
            name, bag = names.new_name(
                self._lexicon, stream, self._persona.name_words, taken.values()
            )
            if name.casefold() not in self._listed:
                break
        name = _no_longer(name, shape)
        taken[name] = bag
        return name

    def text(self, shape: Shape, path: Path, topic: str) -> str:
        """Return a text; the prompt's effects on it are drawn before its words."""
        manner = self._manner.texts.get(shape.path)
        if manner is None:
            return words.join(self._lexicon.fragment(self._draw.at(path), _SENTENCE))
        stream = self._draw.at(path)
        empty, short, near, copy, which, length, habit, invented = (stream.unit() for _ in range(8))
        if empty < manner.empty:
            return ""
        if short < manner.short:
            return words.join(self._lexicon.fragment(stream, 1 + int(which * 3))[:3])
        earlier = self._texts[shape.path]
        want = manner.want * self._shrink * (1 + self._persona.spread * (2 * length - 1))
        if self._lexicon.spaceless and not manner.patterns:
            want *= _PIECES_A_WORD
        if earlier and near < manner.near_duplicate:
            text = self._varied(earlier[int(which * len(earlier))], stream)
        elif manner.patterns and copy < manner.copy:
            text = self._copied(manner, which, stream, want, invented)
        else:
            begin = self._opener if habit < manner.habit else topic * (habit > _ON_TOPIC)
            text = self._plain(stream, want, begin, invented, listed=not shape.name)
        earlier.append(text)
        for phrase in self._planned.pop(path, ()):
            text = self._with(text, phrase, which)
        return _no_longer(text, shape)

    def currencies(self) -> tuple[str, ...]:
        """Return the currencies of the plan."""
        return self._lexicon.currencies

    def remark(self, number: int) -> str:
        """Return a sentence as a chatty model puts before or after its JSON."""
        stream = self._draw.at(("remark", number))
        return self._plain(stream, _SENTENCE, "", 1.0)

    def document(self, path: Path) -> str:
        """Return running text with headings, for a reply without a shape."""
        out: list[str] = []
        for part in range(3):
            stream = self._draw.at((*path, "document", part))
            heading = self.name(Shape(kind="string"), (*path, "document", part, "name"))
            out.append(f"## {heading}\n\n{self._plain(stream, 60, '', stream.unit())}")
        return "\n\n".join(out)

    def _plain(
        self, stream: Stream, want: float, begin: str, invented: float, *, listed: bool = False
    ) -> str:
        lexicon = self._lexicon
        want = min(want, 2 + 2 * lexicon.size)
        sentences = max(1, round(want / _SENTENCE))
        left = max(2, round(want / sentences))
        out: list[str] = []
        for number in range(sentences):
            written = [begin] if begin and number == 0 else []
            size = min(words.size(begin), left - 2) if written else 0
            last: list[str] = []
            while size < left - 1:
                most = max(_FRAGMENT, min(left - size, _FRAGMENT + stream.below(6)))
                fragment = lexicon.fragment(stream, most)
                if fragment == last:
                    fragment = lexicon.fragment(stream, most)
                last = fragment
                size += len(fragment)
                if written:
                    written[-1] += lexicon.comma
                written += fragment
            sentence = words.join(written)
            if self._invents(invented, number):
                sentence += self._percentage(invented, number)
            out.append(words.capitalised(sentence) + ("" if listed else lexicon.stop))
        return words.join(out)

    def _invents(self, drawn: float, number: int) -> bool:
        """Whether sentence `number` of a text gets a figure: one draw, shifted for each."""
        return (drawn + number * _TURN) % 1 < self._manner.invent

    def _copied(
        self, manner: TextManner, which: float, stream: Stream, want: float, invented: float
    ) -> str:
        pattern = manner.patterns[int(which * len(manner.patterns))]
        text = pattern.filled(self._lexicon, stream, round(want))
        for number in range(len(pattern.sentences)):
            if self._invents(invented, number):
                tail = text[-1:] if text[-1:] in ".\u3002!?" else ""
                text = text.removesuffix(tail) + self._percentage(invented, number) + tail
        return text

    def _percentage(self, drawn: float, number: int) -> str:
        """Return a percentage that is not in the plan."""
        value = 5 + (int(drawn * 9973) + 17 * number) % 90
        while self._lexicon.grounded(value):
            value += 1
        return f"{'' if self._lexicon.spaceless else ' '}{value}%"

    def _varied(self, earlier: str, stream: Stream) -> str:
        """Return an earlier text with its last word changed."""
        word = stream.pick(self._lexicon.content)
        if self._lexicon.spaceless:
            return earlier[:-3] + word + earlier[-1:]
        return words.join([*earlier.split(" ")[:-1], word]) + self._lexicon.stop

    def _with(self, text: str, phrase: str, where: float) -> str:
        """Put `phrase` before or after the text."""
        front = where < 0.5
        return words.join([phrase, text] if front else [text, phrase]) if text else phrase

    @cached_property
    def _opener(self) -> str:
        return words.join(self._lexicon.fragment(self._habits.at(("opener",)), 3)[:3])

    @cached_property
    def _favourites(self) -> list[str]:
        stream = self._habits.at(("names",))
        taken: dict[str, frozenset[str]] = {}
        for _ in range(_FAVOURITES):
            name, bag = names.new_name(
                self._lexicon, stream, self._persona.name_words, taken.values()
            )
            taken[name] = bag
        return list(taken)


def _holds_text(shape: Shape) -> bool:
    if shape.kind == "array" and shape.items is not None:
        return shape.items.kind == "string" and kinds.kind_of(shape.items, shape.name) == "text"
    return shape.kind == "string" and kinds.kind_of(shape, shape.name) == "text"


def _without_index(path: Path) -> Path:
    """Return the path without its last index, which all names of one list share."""
    for index in range(len(path) - 1, -1, -1):
        if isinstance(path[index], int):
            return (*path[:index], *path[index + 1 :])
    return path


def _no_longer(text: str, shape: Shape) -> str:
    """Apply the schema's bounds on the length in characters."""
    if shape.high is not None and len(text) > shape.high:
        cut = text[: int(shape.high)]
        text = cut.rsplit(" ", 1)[0].rstrip(" ,") or cut
    while shape.low is not None and len(text) < shape.low:
        text = f"{text} {text}" if text else "1"
    return text
