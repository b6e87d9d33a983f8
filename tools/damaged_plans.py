"""The artifacts of plans as cells of runs, with a share of their items damaged."""

from __future__ import annotations

import atexit
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from model_gateway import temporary
from rubrics.rubric import CALL_FACTS, Rubric, Source
from self_improve.measures.text_groups import Group, Text
from self_improve.records import sent_texts
from self_improve.records.json_paths import texts_in
from tools import damages
from tools.opened_artifacts import UNNUMBERED, Artifacts, Sources, sources_of
from tools.rubric_table import bundled
from tools.slots import is_text
from tools.surroundings import Surroundings

_MOST_CORPUS = 200_000


@cache
def samples() -> Path:
    """Return the directory of the bundled plans, unpacked once a process."""
    # It is a cache of this process, and removed with it.
    folder = _KEPT.enter_context(temporary.opened("samples"))
    bundled(folder)
    return folder


_KEPT = ExitStack()
atexit.register(_KEPT.close)


@dataclass(frozen=True)
class Plan:
    """One plan in a directory; `asked` is that of what the user asked for, if it is another."""

    folder: Path
    asked: Path | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.folder.name

    @cached_property
    def text(self) -> str:
        """What the user asked for."""
        path = (self.asked or self.folder) / "001-2-plan.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def script(self) -> str | None:
        """The script that it is written in."""
        return damages.written_in(self.text)

    @cached_property
    def letters(self) -> Any:
        """How often each sequence of letters occurs in the plan's text."""
        return Group((Text(self.text),)).profile

    def files(self, artifact: str) -> list[Path]:
        """Return the files that an artifact is in."""
        if "<n>" in artifact:
            pattern = re.compile(re.escape(artifact).replace(re.escape("<n>"), r"(\d+)") + r"\Z")
            files = [(int(m[1]), p) for p in self.folder.iterdir() if (m := pattern.match(p.name))]
            return [path for _, path in sorted(files)]
        for name in (artifact, UNNUMBERED.sub("", artifact)):
            if (self.folder / name).is_file():
                return [self.folder / name]
        return []

    def names(self, rubric: Rubric) -> dict[str, bytes]:
        """Return the contents of the artifacts that a rubric measures, by file name."""
        return _contents(self, sources_of(rubric))

    def opened(self, rubric: Rubric) -> Artifacts:
        """Return them opened; they are not to be changed."""
        return _opened(self, sources_of(rubric))

    def read(self, sources: Sequence[Source]) -> dict[str, bytes]:
        """Read the artifacts that the sources of a rubric name."""
        named = [self.files(source.artifact) for source in sources]
        files = {path.name: path.read_bytes() for paths in named for path in paths}
        return files | _with_facts_once(
            {path.name: files[path.name] for path in (named or [[]])[-1] if path.suffix == ".json"}
        )


def _with_facts_once(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the artifacts of one source, in which every text that was sent is there once.

    A record repeats them with every call, and what is measured of them is without repetitions.
    """
    documents = {name: json.loads(data) for name, data in files.items()}
    if not all(isinstance(one, dict) for one in documents.values()):
        return dict(files)
    prompt, plan_input = sent_texts.of_artifacts(list(documents.values()))
    facts = {"system_prompt": prompt, "user_prompt": plan_input}
    for one in documents.values():
        for key in CALL_FACTS & one.keys():
            del one[key]
        one.update(facts)
        facts = {}
    return {
        name: json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass")
        for name, one in documents.items()
    }


@lru_cache(maxsize=32)
def _contents(plan: Plan, sources: Sources) -> dict[str, bytes]:
    return plan.read(sources)


@lru_cache(maxsize=32)
def _opened(plan: Plan, sources: Sources) -> Artifacts:
    return Artifacts(sources, _contents(plan, sources))


@cache
def corpus(language_of: Path) -> str:
    """Return the texts of a plan's artifacts in one."""
    parts: list[str] = [Plan(language_of).text]
    for path in sorted(language_of.glob("*.json")):
        try:
            value = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if "prompt" not in k and k != "metadata"}
        parts += [text for text in texts_in(value) if is_text(text) and len(text) > 60]
    return re.sub(r"\s+", " ", " ".join(dict.fromkeys(parts)))[:_MOST_CORPUS]


@cache
def foreign_language(plan: Plan) -> str:
    """Return a long text in the script of a plan, in the bundled language least like its own."""
    others = [Plan(path) for path in sorted(samples().iterdir())]
    alike = [other for other in others if other.script == plan.script and other.name != plan.name]
    if not alike or plan.script is None:
        return ""
    furthest = min(alike, key=lambda other: float(np.dot(other.letters, plan.letters)))
    if float(np.dot(furthest.letters, plan.letters)) > _SAME_LANGUAGE:
        return ""
    return corpus(furthest.folder)


_SAME_LANGUAGE = 0.6


def foreign(plans: Sequence[Plan], number: int) -> Plan:
    """Return the plan after one of several, one in the same script if there is any."""
    mine = plans[number]
    others = [*plans[number + 1 :], *plans[:number]]
    return next((one for one in others if one.script == mine.script), (others or [mine])[0])


def damaged(
    rubric: Rubric,
    plan: Plan,
    foreign: Plan,
    *,
    damage: str,
    share: float,
    draw: str,
) -> tuple[dict[str, bytes], int]:
    """Return a plan's artifacts with a share of their items damaged, and how many were.

    Args:
        rubric: says where the items are.
        plan: has the artifacts.
        foreign: another plan.
        damage: by its name.
        share: of the items.
        draw: a name for the draw of the items; others are drawn under another name.
    """
    mine = Artifacts(sources_of(rubric), plan.names(rubric))
    sound, theirs = plan.opened(rubric), foreign.opened(rubric)
    references = [
        path
        for use in rubric.metrics
        if use.metric == "unresolved_references"
        for path in use.fields
    ]
    language = foreign_language(plan) if damage == "another language" else ""
    count = 0
    for number, units in enumerate(mine.all_units):
        others = theirs.all_units[number] if number < len(theirs.all_units) else []
        elsewhere = [slot.value for slot in others]
        originals = [slot.value for slot in sound.all_units[number]]
        chosen = _chosen(len(units), share, f"{plan.name}/{draw}")
        if damage == damages.LOST_ITEMS:
            lost = [units[n] for n in chosen if isinstance(units[n].holder, list)]
            lost = lost if len(lost) < len(units) else lost[1:]
            mine.drop(lost)
            count += len(lost)
            continue
        for place in chosen:
            kind = damage
            if damage == damages.ONE_MODEL:
                kind = damages.MIXED[place % len(damages.MIXED)]
            around = Surroundings(
                items=originals, number=place, donor=sound.donors[number],
                foreign=elsewhere, corpus=language, references=references,
                chance=damages.chance_of(plan.name, draw, number, place),
            )  # fmt: skip
            count += damages.DAMAGES[kind](units[place], around)
    return mine.contents(), count


def _chosen(count: int, share: float, draw: str) -> list[int]:
    """Draw a share of the items; where it is not a whole number, by chance one more or less."""
    chance = damages.chance_of("items", draw, count)
    exact = share * count
    size = int(exact) + (chance.random() < exact - int(exact))
    return sorted(chance.sample(range(count), min(size, count)))
