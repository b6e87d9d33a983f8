"""What a model wrote while it was thinking is never its answer."""

from __future__ import annotations

import json
import time

import pytest

from model_gateway.call import FailureKind
from model_gateway.replies import json_in, parse
from model_gateway.replies.reasoning import SpokenText, set_aside
from tests.model_gateway.conftest import Fruit

GOOD = '{"name": "fig", "seeds": [1, 2]}'
DRAFT = '{"name": "plum", "seeds": []}'
TAGGED = '{"name": "a <think> and a </think>", "seeds": [], "more": "[THINK]"}'
FIG = Fruit(name="fig", seeds=[1, 2])

BEFORE_THE_ANSWER = [
    f"<think>First {DRAFT}, no.</think>",
    f"\ufeff<think>\n```json\n{DRAFT}\n```\n</think>\n\ufeff",
    f"<think>\n```json\n{DRAFT}\n</think>\n```json\n",
    f"First {DRAFT}, no.</think>",
    f"First {DRAFT[:-1]}, no.</think>",
    f"<THINK effort='high'>{DRAFT}</Think >",
    f"<thinking>{DRAFT}</think>",
    f"<reasoning>\n<think>{DRAFT}</think> {DRAFT}\n</reasoning>",
    f"<think>I close with </think> and write {DRAFT} then.</think>",
    f'<think>Like {{"name": "</think>", "seeds": []}}, or {DRAFT}</think>',
    f"<think>a</think>{DRAFT}<think>b</think>",
    f"{DRAFT}<think>no</think>",
    f"I use {{curly <think>{DRAFT}</think>",
    f"<think/><scratchpad>{DRAFT}</scratchpad>",
    f"<seed:think>{DRAFT}</seed:think>",
    f"[THINK]{DRAFT}[/THINK]",
    f"◁think▷{DRAFT}◁/think▷",
    f"<|begin_of_thought|>{DRAFT}<|end_of_thought|><|begin_of_solution|>",
    f"<|START_THINKING|>{DRAFT}<|END_THINKING|>",
    f"<|channel>thought\n{DRAFT}<channel|>",
    f"<unused94>thought\n{DRAFT}<unused95>",
    f"Thinking...\n{DRAFT}\n...done thinking.\n\n",
    f"Here are my steps:\n{DRAFT}\n[BEGIN FINAL RESPONSE]\n",
    f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>",
    f"<|channel|>analysis{DRAFT}<|channel|>commentary{DRAFT}<|channel|>final <|constrain|>json ",
    f"{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel|>final",
    f"analysisWe need JSON: {DRAFT}assistantfinal",
]


@pytest.mark.parametrize("before", BEFORE_THE_ANSWER)
@pytest.mark.parametrize("cut_off", [False, True])
def test_answer_is_what_follows_the_reasoning(before: str, cut_off: bool) -> None:  # noqa: FBT001
    """The draft inside is passed over, whatever marks it, also when the limit came afterwards."""
    for after in ("", "\n```\nDone.", "<|return|>"):
        reply = parse(before + GOOD + after, Fruit, cut_off=cut_off, last=True)
        assert (reply.value, reply.partial, reply.mended) == (FIG, False, ())
    assert json_in(before + GOOD) == FIG.model_dump()


@pytest.mark.parametrize("before", BEFORE_THE_ANSWER)
def test_answer_that_breaks_off_is_no_draft(before: str) -> None:
    """When the limit cuts the answer, only a part of the answer is recovered."""
    cut = before + '{"name": "fig", "seeds": [1'
    early = parse(cut, Fruit, cut_off=True, last=False)
    assert early.failure is not None
    assert early.failure.kind is FailureKind.truncated
    late = parse(cut, Fruit, cut_off=True, last=True)
    assert late.partial
    assert late.value is not None
    assert late.value.name == "fig"


@pytest.mark.parametrize(
    "text",
    [
        f"<think>Perhaps {DRAFT} would do. Or I",
        f"<think>\n```json\n{DRAFT}\n```",
        f"Well. <reasoning>{DRAFT}",
        f"[THINK]{DRAFT}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|>",
        f"analysisWe need JSON: {DRAFT}",
        f"<think>a</think>{DRAFT}<think>wait",
        f"{GOOD}\n<think>Or rather",
    ],
)
@pytest.mark.parametrize("cut_off", [False, True])
def test_reply_that_ends_inside_its_reasoning_is_truncated(text: str, cut_off: bool) -> None:  # noqa: FBT001
    """A draft is neither a value nor a part of one, even at the last attempt."""
    reply = parse(text, Fruit, cut_off=cut_off, last=True)
    assert reply.value is None
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.truncated
    assert "reasoning" in reply.failure.message


@pytest.mark.parametrize(
    ("cut_off", "kind"), [(False, FailureKind.empty), (True, FailureKind.truncated)]
)
def test_nothing_after_the_reasoning_is_no_answer(cut_off: bool, kind: FailureKind) -> None:  # noqa: FBT001
    """A model that only thought gave an empty reply, or reached the limit."""
    reply = parse(f"<think>{DRAFT}</think>\n", Fruit, cut_off=cut_off, last=True)
    assert reply.failure is not None
    assert reply.failure.kind is kind


@pytest.mark.parametrize(
    "text",
    [
        TAGGED,
        f"Sure:\n```json\n{TAGGED}\n```",
        f"<think>{DRAFT}</think>{TAGGED}",
        TAGGED[:-1] + ",}",
        json.dumps(TAGGED),
        f"[{TAGGED}]",
    ],
)
def test_tags_inside_a_text_of_the_answer_belong_to_it(text: str) -> None:
    """A plan about such tags is read whole, and none of its words is lost."""
    reply = parse(text, Fruit, cut_off=False, last=True)
    assert reply.value == Fruit(name="a <think> and a </think>", seeds=[])


def test_tag_in_a_text_that_breaks_off_is_no_reasoning() -> None:
    """A truncated reply whose text names a tag is recovered like any other."""
    reply = parse('{"seeds": [], "name": "<think> is', Fruit, cut_off=True, last=True)
    assert reply.partial
    assert reply.value == Fruit(name="<think> is", seeds=[])


def test_draft_before_an_answer_that_breaks_off_is_no_answer() -> None:
    """No tag marks the first value as a draft; a second one does that, unless it repeats it."""
    cut = parse(f"{DRAFT}\nBetter:\n{GOOD[:12]}", Fruit, cut_off=True, last=True)
    assert cut.failure is not None
    assert cut.failure.kind is FailureKind.truncated
    for after in (GOOD[:12], '{"other": "x', "{", "{note"):
        assert parse(f"{GOOD}\n{after}", Fruit, cut_off=True, last=True).value == FIG


def test_text_without_marks_is_left_as_it_is() -> None:
    """Words that only resemble the marks change nothing."""
    for text in ("analysis of [thoughts]", "a < b and <b>think</b>", "<thinker>", "[think]", GOOD):
        assert set_aside(text) == SpokenText(answer=text)


MEGABYTES = 2_000_000


@pytest.mark.parametrize(
    "unit",
    ["</think>", "<think></thinking>", '{"a" <think></think>'],
)
def test_large_replies_are_separated_in_bounded_time(unit: str) -> None:
    """Megabytes of marks take seconds at most."""
    began = time.process_time()
    set_aside("</think>" + unit * (MEGABYTES // len(unit)) + GOOD)
    assert time.process_time() - began < 5
