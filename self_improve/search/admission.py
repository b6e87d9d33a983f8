"""Refuses proposals that are not worth a call: empty, broken, known or copied ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from self_improve.host import templates as template_rules
from self_improve.host.templates import TemplateUse
from self_improve.measures.text_groups import Text, run_hashes
from self_improve.measures.tokens import tokens

RUN = 12
"""This many tokens in a row that are also in a plan, and not in the baseline, count as copied."""
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*$", re.MULTILINE)
_ALLOWED = {"\n", "\t"}
_ODD = {"Cc", "Cs"}


class Refused(Exception):  # noqa: N818 - an outcome that is logged
    """A proposal is not tried; the message is the reason."""


class Admission:
    """Checks texts against the baseline, the rejected attempts and the plans' own words.

    `longest` bounds the characters of all texts together. `templates` says of a surface how the
    code fills its text in.
    """

    def __init__(
        self,
        baseline: Mapping[str, str],
        searched: Sequence[str],
        *,
        longest: int,
        rejected: Iterable[Mapping[str, str]] = (),
        material: Iterable[str] = (),
        templates: Mapping[str, Sequence[TemplateUse]] | None = None,
    ) -> None:
        self._baseline = dict(baseline)
        self._searched = frozenset(searched)
        self._longest = longest
        self._rejected = {_normalized(texts) for texts in rejected}
        baseline_grams = {gram for text in baseline.values() for gram in _grams(text)}
        self._material = {gram for text in material for gram in _grams(text)} - baseline_grams
        self._declared: set[int] = set()
        self._templates = templates or {}

    def whole(
        self,
        texts: Mapping[str, str],
        base: Mapping[str, str],
        *,
        demonstrations: Sequence[str] = (),
    ) -> dict[str, str]:
        """Return the texts of all surfaces, cleaned where the intention is clear.

        Args:
            texts: the changed texts, by surface id.
            base: the texts of the surfaces that are left out.
            demonstrations: examples whose words are taken from the plans on purpose.

        Raises:
            Refused: the proposal is not worth a call.
        """
        if not texts:
            raise Refused("nothing was proposed")
        unknown = sorted(set(texts) - self._searched)
        if unknown:
            raise Refused(f"these surfaces are not searched: {', '.join(unknown)}")
        whole = dict(base)
        for surface, text in texts.items():
            self._require_size(text)  # A text that is far too long is not even read.
            whole[surface] = self._cleaned(text, self._baseline[surface])
            uses = self._templates.get(surface, ())
            if problems := template_rules.problems(uses, self._baseline[surface], whole[surface]):
                raise Refused(f"{surface}: {problems[0]}")
        self._require_size(*whole.values())
        if whole != self._baseline and _words(whole) == _words(self._baseline):
            raise Refused("it differs from the baseline by blanks only")
        if _normalized(whole) in self._rejected:
            raise Refused("these texts were rejected by an earlier iteration")
        exempt = {gram for text in demonstrations for gram in _grams(text)} | self._declared
        for surface in texts:
            copied = (set(_grams(whole[surface])) - exempt) & self._material
            if copied:
                raise Refused(f"{surface} holds {RUN} words in a row of a plan or an output")
        # A proposal based on this text keeps its demonstrations without declaring them again.
        self._declared = exempt
        return whole

    def _require_size(self, *texts: str) -> None:
        size = sum(map(len, texts))
        if size > self._longest:
            raise Refused(f"too long: {size} characters, at most {self._longest}")

    def _cleaned(self, text: str, old: str) -> str:
        """Return the text without a fence around it, ending like the old one."""
        clean = text.replace("\r\n", "\n").replace("\r", "\n")
        odd = sorted({c for c in clean if c not in _ALLOWED and unicodedata.category(c) in _ODD})
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
    """Remove a fence around the whole text: it is the proposer's, not the prompt's."""
    lines = text.strip().split("\n")
    fences = [n for n, line in enumerate(lines) if _FENCE.match(line)]
    if len(fences) == 2 and fences == [0, len(lines) - 1]:
        return "\n".join(lines[1:-1])
    return text


def _grams(text: str) -> list[int]:
    """Return the hashes of all runs of tokens; a shorter text has none."""
    return [int(gram) for gram in run_hashes(Text(text).ids, RUN)]


def _words(texts: Mapping[str, str]) -> dict[str, list[str]]:
    return {surface: text.split() for surface, text in texts.items()}


def _normalized(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return texts in a form in which differences of white space and width do not count."""
    return tuple(sorted((surface, " ".join(tokens(text))) for surface, text in texts.items()))
