"""Which proposals are worth a call: what is empty, broken, known or copied is refused by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from self_improve.measures.text_groups import Text, run_hashes
from self_improve.measures.tokens import tokens

RUN = 12
"""So many tokens in a row that also stand in a plan, and not in the baseline, are copied."""
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*$", re.MULTILINE)
_KEPT = {"\n", "\t"}
_ODD = {"Cc", "Cs"}


class Refused(Exception):  # noqa: N818 - an outcome that is logged
    """A proposal is not tried; the text says why."""


class Admission:
    """Checks texts against the baseline, the rejected attempts and the plans' own words.

    `longest` bounds the characters of all texts together.
    """

    def __init__(
        self,
        baseline: Mapping[str, str],
        searched: Sequence[str],
        *,
        longest: int,
        rejected: Iterable[Mapping[str, str]] = (),
        material: Iterable[str] = (),
    ) -> None:
        self._baseline = dict(baseline)
        self._searched = frozenset(searched)
        self._longest = longest
        self._rejected = {_same(texts) for texts in rejected}
        own = {gram for text in baseline.values() for gram in _grams(text)}
        self._material = {gram for text in material for gram in _grams(text)} - own
        self._declared: set[int] = set()

    def learn(self, material: str) -> None:
        """Take in more of the plans' own words: what the step wrote must not be copied either."""
        own = {gram for text in self._baseline.values() for gram in _grams(text)}
        self._material |= set(_grams(material)) - own

    def whole(
        self,
        texts: Mapping[str, str],
        base: Mapping[str, str],
        *,
        demonstrations: Sequence[str] = (),
    ) -> dict[str, str]:
        """Return the texts of all surfaces, mended where their meaning is plain.

        Args:
            texts: the changed texts, by surface id.
            base: the texts of the surfaces that are left out.
            demonstrations: examples whose words are taken from the plans on purpose.

        Raises:
            Refused: the proposal is not worth a call; the reason says why.
        """
        if not texts:
            raise Refused("nothing was proposed")
        unknown = sorted(set(texts) - self._searched)
        if unknown:
            raise Refused(f"these surfaces are not searched: {', '.join(unknown)}")
        made = dict(base)
        for surface, text in texts.items():
            # What is far too long is not even read.
            self._measure(text)
            made[surface] = self._mended(text, self._baseline[surface])
        self._measure(*made.values())
        if _same(made) in self._rejected:
            raise Refused("these texts were rejected by an earlier iteration")
        exempt = {gram for text in demonstrations for gram in _grams(text)} | self._declared
        for surface in texts:
            copied = (set(_grams(made[surface])) - exempt) & self._material
            if copied:
                raise Refused(f"{surface} holds {RUN} words in a row of a plan or an output")
        # What is made from this text later keeps its demonstrations without declaring them again.
        self._declared = exempt
        return made

    def _measure(self, *texts: str) -> None:
        size = sum(map(len, texts))
        if size > self._longest:
            raise Refused(f"too long: {size} characters, at most {self._longest}")

    def _mended(self, text: str, old: str) -> str:
        """Return the text without a fence around it, with the line end that the old one has."""
        clean = text.replace("\r\n", "\n").replace("\r", "\n")
        odd = sorted({c for c in clean if c not in _KEPT and unicodedata.category(c) in _ODD})
        if odd:
            raise Refused(f"it holds control characters: {', '.join(map(repr, odd[:3]))}")
        clean = unfenced(clean)
        if not tokens(_FENCE.sub("", clean)):
            raise Refused("the text is empty")
        if len(_FENCE.findall(clean)) % 2 > len(_FENCE.findall(old)) % 2:
            raise Refused("a code fence is opened and not closed")
        body = clean.strip("\n")
        return f"{body}\n" if old.endswith("\n") else body


def unfenced(text: str) -> str:
    """Take off a fence that stands around the whole text: the proposer's, not the prompt's."""
    lines = text.strip().split("\n")
    fences = [n for n, line in enumerate(lines) if _FENCE.match(line)]
    if len(fences) == 2 and fences == [0, len(lines) - 1]:
        return "\n".join(lines[1:-1])
    return text


def _grams(text: str) -> list[int]:
    """Return the hashes of all runs of tokens; a shorter text has none."""
    return [int(gram) for gram in run_hashes(Text(text).ids, RUN)]


def _same(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is the same for texts that differ only in white space and width."""
    return tuple(sorted((surface, " ".join(tokens(text))) for surface, text in texts.items()))
