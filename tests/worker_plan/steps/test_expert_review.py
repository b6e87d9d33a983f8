"""A panel of experts, found until there are enough, and what each of them criticises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps.expert_review import EXPERTS_FOLLOW_UP_PROMPT, ExpertReview

MARKDOWN = "016-2-expert_criticism.md"
TITLES = (
    "Baker", "Lock keeper", "Naval surveyor", "Miller", "Food inspector", "Canal angler",
    "Insurer", "Towpath farmer", "Chimney sweep", "Village grocer",
)  # fmt: skip


def expert(title: str) -> dict[str, str]:
    """Return an expert as a model proposes one."""
    names = ("title", "knowledge", "why", "what", "relevant_skills", "search_query")
    return {f"expert_{name}": title if name == "title" else f"{title}: {name}." for name in names}


def criticism(title: str) -> dict[str, Any]:
    """Return what the expert `title` says."""
    return {
        "negative_feedback_list": [
            {
                "feedback_title": f"The {title}'s fault {number}",
                "feedback_verbose": "It leaks.",
                "feedback_problem_tags": ["leak"],
                "feedback_mitigation": "Caulk it.",
                "feedback_consequence": "It sinks.",
                "feedback_root_cause": "Age.",
            }
            for number in (1, 2, 3)
        ],
        "user_primary_actions": ["Caulk the hull."],
        "user_secondary_actions": ["Paint the hull."],
        "follow_up_consultation": "Bring the survey.",
    }


def asked(call: Call[Any]) -> dict[str, str]:
    """Return the expert whom a call asks."""
    block = call.user.partition("<expert>\n")[2].partition("\n</expert>")[0]
    expert: dict[str, str] = json.loads(block)
    return expert


def panel(*replies: tuple[str, ...]) -> Callable[[Call[Any]], Any]:
    """Return a model that proposes these experts, reply by reply, and answers as each of them."""

    def answer(call: Call[Any]) -> Any:
        kind, _, number = call.key.partition("_")
        if kind == "experts":
            return {"experts": [expert(title) for title in replies[int(number) - 1]]}
        return criticism(asked(call)["title"])

    return answer


FULL = panel(TITLES[:4], TITLES[4:8])


@pytest.fixture
def step(run_dir: Path) -> ExpertReview:
    """Return the step on a plan with what it reads."""
    return with_inputs(ExpertReview, run_dir)


def test_every_expert_is_asked_once_about_the_whole_plan(step: ExpertReview) -> None:
    """Two calls find eight; each then sees all that is known, and of the panel only itself."""
    ask = Scripted(FULL)
    written = carry_out(step, ask)
    assert [one.title for one in written["015-2-experts.json"]] == list(TITLES[:8])
    calls = {call.key: call for call in ask.calls}
    assert set(calls) == {"experts_1", "experts_2", *(f"criticism_{n}" for n in range(1, 9))}
    for number, title in enumerate(TITLES[:8], start=1):
        call = calls[f"criticism_{number}"]
        assert [other for other in TITLES if other in call.user] == [title]
        assert "Insure the boat: Before the first tow." in call.user
        raw = written[f"016-1-{number}-expert_criticism_raw.json"]
        assert raw["query"] == call.user
        assert [one["feedback_index"] for one in raw["negative_feedback_list"]] == [1, 2, 3]
    headings = [line for line in written[MARKDOWN].splitlines() if line.startswith("# ")]
    assert headings == [f"# {n}. {title}" for n, title in enumerate(TITLES[:8], start=1)]
    assert "Incomplete" not in written[MARKDOWN]


def test_known_titles_are_shown_and_refused(step: ExpertReview) -> None:
    """An earlier title in other letters is not a new expert, nor is none; one more call follows."""
    ask = Scripted(panel(TITLES[:4], ("BAKER.", "—", *TITLES[4:6]), TITLES[6:8]))
    raw = carry_out(step, ask)["015-1-experts_raw.json"]
    follow_up = next(call for call in ask.calls if call.key == "experts_3")
    titles = json.loads(follow_up.user.partition("<found>\n")[2].partition("\n</found>")[0])
    assert titles == list(TITLES[:6])
    assert EXPERTS_FOLLOW_UP_PROMPT in follow_up.user
    assert raw["refused"] == [
        {"call": "experts_2", "title": "BAKER.", "reason": "title already there"},
        {"call": "experts_2", "title": "—", "reason": "no title"},
    ]


def test_expert_who_fails_costs_only_that_criticism(step: ExpertReview) -> None:
    """The raw artifact and a note in front of the text say so; the others are reported."""
    ask = Scripted(lambda call: FAILED if call.key == "criticism_3" else FULL(call))
    written = carry_out(step, ask)
    raw = written["016-1-3-expert_criticism_raw.json"]
    assert raw["negative_feedback_list"] == []
    assert raw["metadata"]["failure"] == "server: the model is down"
    text = written[MARKDOWN]
    assert text.startswith("> **Incomplete.** The model gave nothing usable for: Naval surveyor.")
    assert sum(line.startswith("# ") for line in text.splitlines()) == 7
    assert len(written["015-2-experts.json"]) == 8


def test_criticism_that_broke_off_is_marked(step: ExpertReview) -> None:
    """Its whole faults are kept, and the note says that there was more."""
    whole = json.dumps(criticism("Baker"))
    broken = whole[: whole.index("fault 3")]
    ask = Scripted(lambda call: broken if call.key == "criticism_1" else FULL(call))
    text = carry_out(step, ask)[MARKDOWN]
    assert text.startswith("> **Incomplete.** The model gave nothing usable for: Baker: ")
    assert "## 1.2. The Baker's fault 2" in text
    assert "The Baker's fault 3" not in text


def test_panel_that_is_silent_is_a_failure(step: ExpertReview) -> None:
    """The experts stay on record; the first failure is reported."""
    ask = Scripted(lambda call: FAILED if call.key.startswith("criticism") else FULL(call))
    with pytest.raises(StepError, match="none of 8 experts answered: server: the model is down"):
        carry_out(step, ask)
    assert len(ExpertReview.experts.load(Path(step.run_dir))) == 8
    assert not (Path(step.run_dir) / MARKDOWN).exists()


def test_no_expert_at_all_is_a_failure(step: ExpertReview) -> None:
    """The finding is tried four times, no more."""
    ask = Scripted(lambda _: FAILED)
    with pytest.raises(StepError, match="no usable expert in 4 replies: server"):
        carry_out(step, ask)
    assert len(ask.calls) == 4


def test_crowd_is_recorded_and_eight_are_asked(step: ExpertReview) -> None:
    """Hundreds of proposals in one reply do not cost hundreds of calls."""
    crowd = tuple(f"Expert {number}" for number in range(500))
    ask = Scripted(panel(crowd))
    written = carry_out(step, ask)
    assert len(written["015-2-experts.json"]) == 500
    assert len(ask.calls) == 9


@pytest.mark.parametrize(
    ("detail", "keys"),
    [
        (Detail.FAST_BUT_SKIP_DETAILS, {"experts_1", "criticism_1", "criticism_2"}),
        (Detail.PING_LLM, {"experts_1", "criticism_1"}),
    ],
)
def test_less_detail_is_fewer_calls(run_dir: Path, detail: Detail, keys: set[str]) -> None:
    """One call finds experts, and the first of them are asked."""
    ask = Scripted(FULL)
    carry_out(with_inputs(ExpertReview, run_dir, detail), ask)
    assert {call.key for call in ask.calls} == keys
