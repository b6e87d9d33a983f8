"""One proposed set of prompt texts as data; a candidate as code is a code tree instead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model_gateway.foreign_files import MOST_SETTINGS, cause_of, expanded, read_text
from model_gateway.suggestions import did_you_mean
from prompt_lab import lfs
from self_improve.errors import UsageError
from self_improve.host import templates
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.surfaces import Surface

_NAMES_SHOWN = 6
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
"""Characters that take no room, and that do not count as blanks."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Texts by surface id; none of them is the baseline."""

    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The SHA-256 of the texts and their surface ids."""
        plain = json.dumps(dict(self.texts), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def is_baseline(self) -> bool:
        """Whether this changes nothing."""
        return not self.texts


def from_files(arguments: Sequence[str], step: StepFacts, pipeline: Pipeline) -> Candidate:
    """Return the candidate of `--prompt SURFACE=FILE` arguments.

    A surface may be named by its id, or by what follows the colon if only one surface that
    `step` reaches, or else only one of all surfaces, has that name.

    Raises:
        UsageError: an argument, a surface or a file is wrong; all problems are named.
    """
    texts: dict[str, str] = {}
    problems: list[str] = []
    for argument in arguments:
        name, equals, file = argument.partition("=")
        if not equals:
            problems.append(f"--prompt {argument}: say SURFACE=FILE")
            continue
        try:
            surface_id = surface_named(name, step, pipeline)
            text = read_text(expanded(file), most=MOST_SETTINGS)
        except UsageError as error:
            problems.append(str(error))
            continue
        except OSError as error:
            problems.append(f"--prompt {argument}: the file cannot be read: {cause_of(error)}")
            continue
        surface = pipeline.surfaces[surface_id]
        text = _as_meant(text, surface.text)
        if surface_id in texts:
            problems.append(f"--prompt {argument}: {surface_id} is named twice")
        problems += [f"--prompt {argument}: {why}" for why in _text_problems(text, surface)]
        texts[surface_id] = text
    if problems:
        raise UsageError("\n".join(problems))
    same = [s for s, text in texts.items() if _is_same(text, pipeline.surfaces[s].text)]
    if texts and len(same) == len(texts):
        raise UsageError(f"This candidate is the baseline: {', '.join(same)} would not change.")
    return Candidate(texts=texts)


def _text_problems(text: str, surface: Surface) -> list[str]:
    """Return why a text cannot be sent in place of a surface's."""
    problems = []
    if lfs.is_pointer(text.encode("utf-8", "replace")):
        problems.append(f"the file {lfs.PROBLEM}")
    if "\0" in text:
        problems.append("the file holds a NUL character, and a text has none")
    if not text.strip():
        problems.append("the file is empty")
    if surface.assembled_into:
        problems.append(
            f"the code puts {surface.id} into {', '.join(surface.assembled_into)} when it is "
            "imported, so a text set later would not be sent; give the candidate as code with "
            "--code DIR"
        )
    return problems or templates.problems(surface.templates, surface.text, text)


def _is_same(text: str, old: str) -> bool:
    """Whether two texts differ in nothing but blanks, which no model is asked about."""
    return _words(text) == _words(old)


def _words(text: str) -> list[str]:
    return text.translate(_INVISIBLE).split()


def _as_meant(text: str, old: str) -> str:
    """Return a file's text without the final line end of editors, if the code has none."""
    return text if old.endswith("\n") else text.removesuffix("\n")


def surface_named(name: str, step: StepFacts, pipeline: Pipeline) -> str:
    """Return the id of the surface that `name` means.

    Raises:
        UsageError: none or several have that name; the message names the nearest.
    """
    if name in pipeline.surfaces:
        return name
    everywhere = [s for s in pipeline.surfaces if s.partition(":")[2] == name]
    of_step = [s for s in everywhere if s in step.surfaces]
    fitting = of_step or everywhere
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"{name} could be any of {', '.join(fitting)}; give the whole id.")
    names = [s.partition(":")[2] for s in step.surfaces]
    hint = did_you_mean(name, names) or f" It has {', '.join(names[:_NAMES_SHOWN])}."
    raise UsageError(f"{step.name} has no prompt surface {name}.{hint}")
