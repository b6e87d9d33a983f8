"""How one persona responds to one prompt, as numbers: computed once for all replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_gateway.providers.simulated import kinds, rules
from model_gateway.providers.simulated.persona import Persona
from model_gateway.providers.simulated.prompt import PromptForm, Range
from model_gateway.providers.simulated.rules import Rules
from model_gateway.providers.simulated.sentence_pattern import Pattern, structures
from model_gateway.providers.simulated.shape import Shape

StaticPath = tuple[str, ...]
_MOST_ITEMS = 40
_LEAST_WORDS = 8
_MOST_SENTENCES = 9
_MOST_WORDS = 400
_WORDS_A_SENTENCE = 14
_CHARACTERS_A_WORD = 6
_ENOUGH_REMINDERS = 3
_LEAST_LENGTH = 3.0
_LONE_NOISE = 0.4


@dataclass(frozen=True, kw_only=True)
class TextManner:
    """How a text field is written: patterns to copy, length in words, slips."""

    patterns: tuple[Pattern, ...]
    copy: float
    habit: float
    want: float
    empty: float
    short: float
    near_duplicate: float


@dataclass(frozen=True, kw_only=True)
class CountManner:
    """How many items a list gets: a mean with its deviation, and the chance of one too few."""

    mean: float
    noise: float
    missing: float
    low: int
    high: int | None
    outer: bool


@dataclass(frozen=True, kw_only=True)
class Manner:
    """All effects of the prompt on its replies."""

    texts: Mapping[StaticPath, TextManner]
    counts: Mapping[StaticPath, CountManner]
    phrases: tuple[tuple[str, float], ...]
    placeholders: tuple[str, ...]
    placeholder: float
    invent: float
    obedience: float
    focus: float
    name_statements: float
    limit: int


def manner_of(form: PromptForm, shape: Shape, persona: Persona, strengths: Rules) -> Manner:
    """Apply the rules to a prompt."""
    return _Maker(form, shape, persona, strengths).make()


class _Maker:
    def __init__(self, form: PromptForm, shape: Shape, persona: Persona, strengths: Rules) -> None:
        self._form = form
        self._shape = shape
        self._persona = persona
        self._rules = strengths
        self._obedience = rules.obedience(
            strengths, form.clauses, persona.attention, persona.guidance
        )
        self._focus = rules.focus(strengths, form.clauses, persona.attention)
        self._reminded = 1.0 if form.reminders >= _ENOUGH_REMINDERS else 0.0
        self._patterns = {
            name: tuple(Pattern.of(text) for text in texts) for name, texts in form.examples.items()
        }
        self._texts: dict[StaticPath, TextManner] = {}
        self._counts: dict[StaticPath, CountManner] = {}
        self._main = self._main_list()

    def make(self) -> Manner:
        form, persona, strengths = self._form, self._persona, self._rules
        self._visit(self._shape, "", outer=True)
        names = [p.name for p in self._shape.walk() if kinds.is_name(p.name)]
        mentions = max((form.mentions.get(name, 0) for name in names), default=0)
        places = sum(1 for _ in self._shape.walk())
        return Manner(
            texts=self._texts,
            counts=self._counts,
            phrases=tuple(
                (text, rules.leak_chance(strengths, persona.leak, times))
                for text, times in form.phrases.items()
            ),
            placeholders=tuple(f"[{text}]" for text in form.placeholders),
            placeholder=rules.placeholder_chance(
                strengths, persona.placeholder, len(form.placeholders)
            ),
            invent=rules.invent_chance(
                strengths, persona.invent_base, persona.invent, form.percents
            ),
            obedience=self._obedience,
            focus=self._focus,
            name_statements=mentions + self._reminded,
            limit=rules.output_limit(strengths, persona.output_limit, persona.strain, places),
        )

    def _main_list(self) -> StaticPath | None:
        """Return the path of the list that a prompt means by default."""
        lists = [p for p in self._shape.walk() if p.kind == "array"]
        of_objects = [p for p in lists if p.items is not None and p.items.kind == "object"]
        candidates = of_objects or lists
        return min(candidates, key=lambda p: len(p.path)).path if candidates else None

    def _visit(self, shape: Shape, owner: str, *, outer: bool) -> None:
        name = shape.name or owner
        if shape.kind == "string":
            self._texts[shape.path] = self._text(shape, name, listed=not shape.name)
        elif shape.kind in {"array", "map"}:
            self._counts[shape.path] = self._count(shape, name, outer=outer)
        for child in shape.properties:
            self._visit(child, name, outer=outer)
        if shape.items is not None:
            self._visit(shape.items, name, outer=False)

    def _text(self, shape: Shape, name: str, *, listed: bool) -> TextManner:
        persona = self._persona
        patterns = self._patterns.get(name) or (() if listed else self._patterns.get("", ()))
        usual = persona.item_length if listed else persona.length
        asked = self._asked_length(name, patterns, listed=listed)
        want = usual
        if asked is not None:
            want = rules.towards(self._rules.mirror, usual, asked * persona.verbosity, self._focus)
        if shape.high is not None:
            want = min(want, shape.high / _CHARACTERS_A_WORD)
        different = structures(patterns)
        # An example shows what is wanted, and counts like one more statement of it.
        statements = self._form.mentions.get(name, 0) + self._reminded + min(1.0, different)
        return TextManner(
            patterns=patterns,
            copy=rules.copy_chance(self._rules, persona.copy, different),
            habit=rules.habit_chance(self._rules, 0.0 if listed else persona.habit, different),
            want=max(_LEAST_LENGTH, want),
            empty=0.0 if shape.low else self._slip(persona.empty, statements),
            short=self._slip(persona.short if listed else 0.0, statements),
            near_duplicate=self._slip(persona.near_duplicate, statements),
        )

    def _asked_length(
        self, name: str, patterns: tuple[Pattern, ...], *, listed: bool
    ) -> float | None:
        """Return the requested length in words: that of the examples, else a numeral's.

        Numerals up to 9 count sentences, up to 400 words, above that characters. Beside a list
        the first numeral is its count.
        """
        if patterns:
            return sum(pattern.size for pattern in patterns) / len(patterns)
        ranges = self._form.asked(name)
        if listed:
            ranges = tuple(one for one in ranges[1:] if one.high >= _LEAST_WORDS)
        if not ranges:
            return None
        middle = (ranges[0].low + ranges[0].high) / 2
        if middle <= _MOST_SENTENCES:
            return middle * _WORDS_A_SENTENCE
        return middle if middle <= _MOST_WORDS else middle / _CHARACTERS_A_WORD

    def _count(self, shape: Shape, name: str, *, outer: bool) -> CountManner:
        persona = self._persona
        asked = self._asked_count(shape, name)
        usual = persona.items if outer else persona.nested
        mean = usual
        if asked is not None:
            aim = asked.low + persona.lean * (asked.high - asked.low)
            mean = rules.towards(self._rules.keep, usual, aim, self._focus)
        statements = len(self._form.numerals.get(name, ())) + (shape.low is not None)
        return CountManner(
            mean=mean,
            noise=self._noise(asked, outer=outer),
            missing=0.0 if outer else self._slip(persona.missing, statements),
            low=max(1, int(shape.low or 0)),
            high=None if shape.high is None else int(shape.high),
            outer=outer,
        )

    def _noise(self, asked: Range | None, *, outer: bool) -> float:
        """Return the deviation of a count; a lone numeral is followed better than a range."""
        if asked is None:
            return self._persona.noise
        lone = asked.low == asked.high
        return (_LONE_NOISE if lone else 1.0) * self._persona.noise if outer else 0.0

    def _asked_count(self, shape: Shape, name: str) -> Range | None:
        ranges = [one for one in self._form.asked(name)[:1] if one.high <= _MOST_ITEMS]
        if not ranges and shape.path == self._main:
            ranges = [one for one in self._form.loose if one.low > 1 and one.high <= _MOST_ITEMS]
        if ranges:
            return ranges[0]
        if shape.low is None and shape.high is None:
            return None
        low = int(shape.low if shape.low is not None else min(self._persona.items, shape.high or 1))
        high = int(shape.high if shape.high is not None else low + 2)
        return Range(low, max(low, min(high, low + _LEAST_WORDS)))

    def _slip(self, base: float, statements: float) -> float:
        return rules.slip_chance(
            self._rules, base, heed=self._persona.heed, statements=statements,
            obedience=self._obedience,
        )  # fmt: skip
