"""The roles beside the steps do what their contract says with what they are shown."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from model_gateway.providers.simulated.roles import ROLES, Role
from tests.model_gateway.simulated.conftest import a_model, a_request, block
from tests.model_gateway.simulated.plan_texts import ENGLISH
from tests.model_gateway.simulated.shapes import Levers
from tests.model_gateway.simulated.test_translation import RICH

FEEDBACK = """`review_lever` 9 times: "Nothing here says who was asked"
- "Option A: rents"
+ `review_lever`: "Two stallholders share one key, and on Sundays neither of them is there."
"""


class Proposal(BaseModel):
    """One changed text."""

    surface: str
    text: str
    change: str
    rationale: str


class Proposals(BaseModel):
    """Several of them."""

    proposals: list[Proposal]


class Finding(BaseModel):
    """One defect."""

    quote: str
    issue: str
    field: str
    severity: Literal["low", "medium", "high"]
    count: int
    path: str


class Criticism(BaseModel):
    """All defects."""

    findings: list[Finding]
    summary: str


class Judgement(BaseModel):
    """Which of two is better."""

    winner: Literal["a", "b", "tie"]
    score_a: int = Field(ge=0, le=10)
    score_b: int = Field(ge=0, le=10)
    reason: str


class Answers(BaseModel):
    """A judgement for every question."""

    answers: list[Judgement]


class Seen(BaseModel):
    """Something seen in a file."""

    path: str
    line: int
    quote: str
    observation: str


class Report(BaseModel):
    """What was seen."""

    observations: list[Seen]
    recommendations: list[str]
    summary: str


def play(role: str, shape: Any, user: str, system: str = "Do your part.", **origin: Any) -> Any:
    """Return the parsed reply of a role."""
    answer = Role(role).answer(a_request(system, user, shape=shape, **origin))
    return answer.text if shape is None else shape.model_validate_json(answer.text)


def shown(*texts: str) -> str:
    """Return prompts and feedback as a proposer is shown them."""
    prompts = [f'<prompt id="steps:P{n}">\n{text}\n</prompt>' for n, text in enumerate(texts)]
    return "\n\n".join([*prompts, block("feedback", FEEDBACK)])


def outputs(persona: str, system: str = RICH, cells: int = 2, **traits: float) -> str:
    """Return replies of a step model as JSON."""
    model = a_model(persona, fence=0, prose=0, broken=0, **traits)
    replies = [json.loads(model.answer(a_request(system, seed=s)).text) for s in range(cells)]
    return json.dumps(replies, ensure_ascii=False)


def test_proposals_differ_from_each_other_and_from_the_given() -> None:
    """Eight proposals are eight texts, none of them the text given."""
    for seed in range(10):
        reply = play("proposer", Proposals, shown(RICH), "Make 8 proposals.", seed=seed)
        texts = {" ".join(proposal.text.split()) for proposal in reply.proposals}
        assert len(texts) == len(reply.proposals) == 8
        assert " ".join(RICH.split()) not in texts
        assert all(proposal.surface == "steps:P0" for proposal in reply.proposals)


def test_proposals_say_what_they_changed() -> None:
    """The change names an operation and quotes what it touched."""
    for proposal in play("proposer", Proposals, shown(RICH), "Make 6.").proposals:
        operation, _, touched = proposal.change.partition(": ")
        assert operation.replace("_", "").isalpha()
        assert touched.startswith('"')


def test_proposals_take_every_surface_in_turn() -> None:
    """Each prompt with an id of its own is worked on, and keeps to its own text."""
    proposals = play(
        "proposer", Proposals, shown(RICH, "Give more. `options`: 3."), "Make 6."
    ).proposals
    assert {proposal.surface for proposal in proposals} == {"steps:P0", "steps:P1"}
    for proposal in proposals:
        assert ("You read a plan" in proposal.text) <= (proposal.surface == "steps:P0")


def test_earlier_attempts_are_not_proposed_again() -> None:
    """What stands among the attempts is avoided."""
    first = play("proposer", Proposals, shown(RICH), "Make 5.").proposals
    tried = block("attempts", json.dumps([{"text": one.text, "score": 3} for one in first]))
    again = play("proposer", Proposals, f"{shown(RICH)}\n\n{tried}", "Make 5.").proposals
    assert not {one.text for one in first} & {one.text for one in again}


def test_proposer_works_from_the_feedback() -> None:
    """Over some seeds the complained sentence goes, and the praised span becomes an example."""
    texts = [
        proposal.text
        for seed in range(12)
        for proposal in play("proposer", Proposals, shown(RICH), "Make 4.", seed=seed).proposals
    ]
    assert any("Nothing here says" not in text for text in texts)
    assert any('neither of them is there."' in text for text in texts)
    assert any("[insert here]" not in text for text in texts)
    assert any("Option A" not in text for text in texts)
    assert any(text.count("\n> ") == 2 for text in texts)


def test_two_parents_are_crossed() -> None:
    """Prompts without ids of their own give sentences to each other."""
    parents = (
        f"{block('prompt', RICH)}\n\n{block('prompt', 'Count the `options`: 3. Be brief here.')}"
    )
    texts = [
        proposal.text
        for seed in range(12)
        for proposal in play("proposer", Proposals, parents, "Make 4.", seed=seed).proposals
    ]
    assert any("You read a plan" in text and "Be brief here" in text for text in texts)


def test_proposer_starts_from_the_best_attempt() -> None:
    """With a scored trajectory and no prompt, the best one is edited."""
    tried = [{"text": "Say little of it now.", "score": 1}, {"text": RICH, "score": 7}]
    user = block("attempts", json.dumps(tried))
    assert "You read a plan" in play("proposer", None, user)


def test_proposer_induces_from_outputs_alone() -> None:
    """With nothing but outputs it says how long their lists are, and quotes some of them."""
    text = play("proposer", None, block("outputs", outputs("strong")))
    assert "`options`" in text
    assert '"' in text


def test_proposer_survives_an_empty_prompt() -> None:
    """There is always a text, even where nothing can be edited."""
    assert play("proposer", Proposals, block("prompt", "")).proposals
    assert play("proposer", Proposals, block("prompt", "One."), "Make 3.").proposals


def test_critic_quotes_what_it_names() -> None:
    """Openers, placeholders and made-up figures are named, with spans that stand in the outputs."""
    shown_outputs = outputs("parrot", placeholder=0.3, invent_base=0.2)
    user = f"{block('plan', ENGLISH)}{block('prompt', RICH)}{block('outputs', shown_outputs)}"
    criticism = play("critic", Criticism, user)
    kinds = {finding.issue.split()[0] for finding in criticism.findings}
    assert {"repeated_opener", "ungrounded"} <= kinds
    plain = json.dumps(json.loads(shown_outputs), ensure_ascii=False)
    assert all(finding.quote in plain for finding in criticism.findings)
    assert any("in_prompt" in finding.issue for finding in criticism.findings)
    assert criticism.findings[0].quote in criticism.summary


def test_critic_finds_nothing_in_good_outputs() -> None:
    """Where nothing is wrong no finding is made up."""
    shown_outputs = json.dumps(
        [{"name": "Quiet Hours", "options": ["One may close the gate at noon."]}]
    )
    criticism = play("critic", Criticism, block("outputs", shown_outputs))
    assert criticism.findings == []
    assert criticism.summary == "no_defect"


def _verdicts(first: str, second: str, cells: int = 30) -> Counter[str]:
    user = f"{block('plan', ENGLISH)}{block('a', first)}{block('b', second)}"
    return Counter(play("judge", Judgement, user, seed=s).winner for s in range(cells))


def test_judge_prefers_the_better_in_both_orders() -> None:
    """A locked, invented output loses against a clean one, wherever it stands."""
    bad, good = outputs("parrot", invent_base=0.3), outputs("strong", "Give 6 levers.")
    assert _verdicts(bad, good)["b"] > 25
    assert _verdicts(good, bad)["a"] > 25


def test_judge_is_noisy_and_likes_the_first() -> None:
    """Of two equal outputs either may win, the first one somewhat more often."""
    same = outputs("strong", cells=1)
    verdicts = _verdicts(same, same, cells=120)
    assert verdicts["a"] > verdicts["b"] > 12


def test_judge_answers_every_question() -> None:
    """There is one answer a question, and scores agree with the winner."""
    questions = block("question", "Which is clearer?") + block("question", "Which is true?")
    user = f"{block('a', outputs('parrot'))}{block('b', outputs('strong'))}{questions}"
    answers = play("judge", Answers, user).answers
    assert len(answers) == 2
    for answer in answers:
        if answer.winner != "tie":
            better = answer.score_a >= answer.score_b
            assert better == (answer.winner == "a") or answer.score_a == answer.score_b


def test_analyst_quotes_lines_that_are_there() -> None:
    """Every quote stands in the line and the file that are given with it."""
    files = {
        "outputs/p/levers.json": json.dumps(json.loads(outputs("parrot")), indent=1),
        "steps/levers.py": RICH,
    }
    user = "\n\n".join(f'<file path="{p}">\n{text}\n</file>' for p, text in files.items())
    report = play("analyst", Report, user, "Give 8 observations.")
    assert len(report.observations) == 8
    for seen in report.observations:
        assert seen.quote in files[seen.path].splitlines()[seen.line - 1]
        assert seen.quote in seen.observation
    assert "steps/levers.py:" in play("analyst", None, user)


def test_analyst_with_no_files_still_answers() -> None:
    """No blocks with a path: a reply of the right shape, with nothing quoted."""
    assert play("analyst", Report, block("note", "Nothing is here to be read at all."))


@pytest.mark.parametrize("role", sorted(ROLES))
def test_roles_fill_any_other_shape(role: str) -> None:
    """A schema that a role does not know is filled like a step's, the same for the same seed."""
    user = block("plan", ENGLISH)
    assert play(role, Levers, user) == play(role, Levers, user)


class Edit(BaseModel):
    """One place of a file."""

    path: str
    old: str
    new: str


class Edits(BaseModel):
    """A change of code."""

    edits: list[Edit]
    summary: str


@pytest.mark.parametrize(
    "text",
    [
        'A = Field(description="A name.")\nB = Field(description="A sum.")',
        'A = Field(description="A name.")\nA = Field(description="A name.")\nB = 1',
        "A = 1\nA = 1",
    ],
)
def test_coder_edits_a_place_that_is_there_once(text: str) -> None:
    """Its edit can be made, and changes something."""
    user = f'<file path="own.py">\n{text}\n</file>\n\n<file path="other.py">\nC = 3\n</file>'
    reply = play("coder", Edits, user)
    [edit] = reply.edits
    assert edit.path == "own.py"
    assert text.count(edit.old) == 1
    assert edit.new != edit.old
    assert reply.summary
