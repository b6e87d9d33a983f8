"""Small baseline plans, and models behind loopback servers, for tests of the whole runner."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.layout import Layout
from self_improve import runner
from tests.self_improve import commands
from tests.self_improve.commands import Ran
from tests.wire.script import Say, Seen, Status, Step
from tests.wire.server import WireServer

STEP, ONE_CALL = "identify_potential_levers", "identify_purpose"
PLANS = ("boat", "moor", "radio")
KEY = "sk-a-key-that-must-not-leave-42"


@dataclass(frozen=True)
class Lab:
    """A directory with baseline plans, entries of models, and a place for history."""

    place: Path

    @property
    def output(self) -> Path:
        """Where history is written."""
        return self.place / "out"

    @property
    def plans(self) -> Path:
        """The baseline plans."""
        return self.place / "plans"

    def words(self, *more: str | Path, step: str = ONE_CALL, model: str = "m1") -> list[str | Path]:
        """Return the words of a runner's command on all plans."""
        return ["--step", step, "--model", model, "--baseline-dir", self.plans, *more]

    def run(self, *more: str | Path, step: str = ONE_CALL, model: str = "m1") -> Ran:
        """Run the runner in this process."""
        return commands.run(*self.words(*more, step=step, model=model), output=self.output)

    def run_words(self, *words: str | Path) -> Ran:
        """Run the runner with exactly these words."""
        return commands.run(*words, output=self.output)

    def run_nowhere(self) -> Ran:
        """Run the runner without saying where to write."""
        return commands.called(runner.main, self.words())

    def entry(self, name: str, server: WireServer, **settings: Any) -> None:
        """Write a model's entry for a server of OpenAI's format."""
        values: dict[str, Any] = {
            "name": name,
            "provider": "openai",
            "model_id": f"wire-{name}",
            "base_url": server.base_url,
            "workers": 8,
            "attempt_seconds": 60,
            "deadline_seconds": 120,
            "max_attempts": 3,
            **settings,
        }
        values.setdefault("price", {"input": 1.0, "output": 2.0})
        tables = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if v and k not in tables]
        for name_of_table, table in tables.items():
            lines += [f"[{name_of_table}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        (self.place / "llm_config" / f"{name}.toml").write_text("\n".join(lines) + "\n")


@contextmanager
def laboratory(
    place: Path, patch: pytest.MonkeyPatch, plans: Sequence[str] = PLANS
) -> Iterator[Lab]:
    """Make a laboratory in `place`."""
    for number, name in enumerate(plans):
        plan = place / "plans" / name
        plan.mkdir(parents=True)
        (plan / "001-2-plan.txt").write_text(f"Plan {number}: lend {name} tools on a canal.\n" * 3)
        (plan / "002-6-identify_purpose.md").write_text("# Tools\n\nFor a canal.\n")
        (plan / "002-8-plan_type.md").write_text("It needs a boat.\n")
    (place / "llm_config").mkdir()
    patch.setenv("PLUMBLINE_LLM_CONFIG", str(place / "llm_config"))
    patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    patch.delenv("PROMPT_LAB_DIR", raising=False)
    yield Lab(place)


def purpose(seen: Seen) -> Step:
    """Answer identify_purpose, and a ping."""
    if seen.schema is None:
        return Say(text="1")
    return Say(text=json.dumps({"topic": "T", "purpose_detailed": "D", "purpose": "business"}))


def levers(seen: Seen) -> Step:
    """Answer identify_potential_levers with five levers that no other request gets."""
    if seen.schema is None:
        return Say(text="1")
    mark = abs(hash(json.dumps(seen.messages))) % 100_000
    texts = [
        {
            "lever_index": n,
            "name": f"Lever {mark} {n}",
            "consequences": "It follows.",
            "options": ["Do one thing.", "Do another.", "Do a third."],
            "review_lever": "Remarkable.",
        }
        for n in range(5)
    ]
    return Say(text=json.dumps({"strategic_rationale": "R", "levers": texts, "summary": "S"}))


def broken_but_reachable(seen: Seen) -> Step:
    """Answer a ping, and nothing else."""
    return Say(text="1") if seen.schema is None else Status(code=500)


def plan_of(seen: Seen) -> str:
    """Return which plan a request is about."""
    text = json.dumps(seen.messages)
    return next(name for name in PLANS if f"lend {name} tools" in text)


def asked(server: WireServer) -> list[Seen]:
    """Return the requests of cells, without the pings."""
    return [seen for seen in server.requests if seen.schema is not None]


def layout(lab: Lab) -> Layout:
    """Return the layout of the laboratory's history."""
    return Layout(lab.output)
