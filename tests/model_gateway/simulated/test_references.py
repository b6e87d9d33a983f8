"""Replies refer to what the material has named: identifiers exist, and come in order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.model_gateway.simulated.conftest import a_model, a_request, block, json_block
from tests.model_gateway.simulated.plan_texts import BY_LANGUAGE, ENGLISH
from tests.model_gateway.simulated.shapes import (
    ALL,
    Assessments,
    Breakdown,
    Currencies,
    Decisions,
    Dependencies,
    Durations,
    Levers,
    MemberNotes,
    Premortem,
    Scenarios,
    Selection,
)

LEVERS = [
    {
        "lever_id": f"0000000{n}-aaaa-4bbb-8ccc-000000000000",
        "name": name,
        "consequences": f"What follows from {name}.",
        "options": [f"{name} {way}" for way in ("now", "later", "never")],
        "review": "One thing is missing.",
    }
    for n, name in enumerate(["Rents", "Quiet Hours", "Turntable Stage", "Winter Work"], 1)
]
TASKS = [{"task_id": f"task-{n:04d}", "description": f"Do part {n}."} for n in range(12)]
SCENARIOS = [
    {"scenario_name": name, "strategic_logic": "Because.", "lever_settings": {"Rents": "Rents now"}}
    for name in ("Slow Fair", "Bold Fair", "Plain Fair")
]
PLAN = block("plan", ENGLISH)


def ask(shape: type[BaseModel], *material: str, persona: str = "strong", **origin: Any) -> Any:
    """Return a parsed reply to a message with this material."""
    model = a_model(persona, fence=0, prose=0, broken=0, output_limit=60_000)
    user = "\n\n".join([PLAN, *material])
    answer = model.answer(a_request(user=user, shape=shape, most=60_000, **origin))
    return shape.model_validate_json(answer.text)


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("language", ["arabic", "english", "japanese"])
def test_every_shape_is_filled_by_every_persona(
    persona: str, shape: type[BaseModel], language: str
) -> None:
    """A well-formed reply fits the model of its artifact, in every language."""
    user = "\n\n".join([block("plan", BY_LANGUAGE[language]), json_block("levers", LEVERS)])
    model = a_model(persona, fence=0, prose=0, broken=0, output_limit=60_000)
    for seed in range(2):
        answer = model.answer(a_request(user=user, shape=shape, most=60_000, seed=seed))
        assert shape.model_validate_json(answer.text)


def test_one_item_for_every_identifier() -> None:
    """Decisions and assessments take each lever once, in order, with its own name."""
    ids = [lever["lever_id"] for lever in LEVERS]
    decisions = ask(Decisions, json_block("levers", LEVERS)).decisions
    assert [decision.lever_id for decision in decisions] == ids
    assessments = ask(Assessments, json_block("levers", LEVERS)).lever_assessments
    assert [(one.lever_id, one.lever_name) for one in assessments] == [
        (lever["lever_id"], lever["name"]) for lever in LEVERS
    ]


def test_map_is_keyed_by_the_names_and_holds_their_options() -> None:
    """Each scenario sets every lever to one of that lever's own options."""
    scenarios = ask(Scenarios, json_block("levers", LEVERS)).scenarios
    assert len(scenarios) == 3
    for scenario in scenarios:
        assert list(scenario.lever_settings) == [lever["name"] for lever in LEVERS]
        for lever in LEVERS:
            assert scenario.lever_settings[lever["name"]] in lever["options"]
    assert len({tuple(s.lever_settings.values()) for s in scenarios}) == 3


def test_map_as_a_list_of_pairs_refers_as_well() -> None:
    """A server that takes no maps gets pairs, and their names and settings are the material's."""

    class Setting(BaseModel):
        lever_name: str
        chosen_option: str

    class Settings(BaseModel):
        lever_settings: list[Setting]

    settings = ask(Settings, json_block("levers", LEVERS)).lever_settings
    assert [s.lever_name for s in settings] == [lever["name"] for lever in LEVERS]
    for setting, lever in zip(settings, LEVERS, strict=True):
        assert setting.chosen_option in lever["options"]


def test_chosen_scenario_is_one_of_those_assessed() -> None:
    """Scenarios are assessed by their names, and the chosen one is among them."""
    names = [scenario["scenario_name"] for scenario in SCENARIOS]
    for seed in range(5):
        selection = ask(Selection, json_block("scenarios", SCENARIOS), seed=seed)
        assert [fit.scenario_name for fit in selection.scenario_assessments] == names
        assert selection.final_choice.chosen_scenario_name in names


def test_tasks_depend_on_earlier_ones_only() -> None:
    """No task depends on itself or a later one, and explanations go with dependencies."""
    ids = [task["task_id"] for task in TASKS]
    for seed in range(5):
        details = ask(Dependencies, json_block("tasks", TASKS), seed=seed).task_dependency_details
        assert [task.dependent_task_id for task in details] == ids
        assert any(task.depends_on_task_id_list for task in details)
        for index, task in enumerate(details):
            assert set(task.depends_on_task_id_list) <= set(ids[:index])
            explained = len(task.depends_on_task_explanation_list)
            assert explained == len(task.depends_on_task_id_list)


def test_dependencies_find_the_identifiers_of_a_tree() -> None:
    """Tasks nested in phases under plain `id`s are found when the tree is called for tasks."""
    tree = [
        {"id": f"phase-{p}", "title": "Part", "tasks": [
            {"id": f"task-{p}-{t}", "description": "Do it."} for t in range(3)
        ]}
        for p in range(2)
    ]  # fmt: skip
    details = ask(Dependencies, json_block("work", tree)).task_dependency_details
    assert [t.dependent_task_id for t in details] == [
        f"task-{p}-{t}" for p in range(2) for t in range(3)
    ]


def test_durations_are_in_order_and_for_the_named_tasks_only() -> None:
    """Least, likely and most days rise; tasks that the prompt quotes are the only ones meant."""
    named = 'Only these:\n"task-0003"\n"task-0007"'
    details = ask(Durations, json_block("tasks", TASKS), named).task_details
    assert [task.task_id for task in details] == ["task-0003", "task-0007"]
    for task in ask(Durations, json_block("tasks", TASKS)).task_details:
        assert 0 < task.days_min < task.days_realistic < task.days_max


def test_work_on_the_last_block_with_the_key() -> None:
    """A batch that stands after the whole list is what is worked on."""
    details = ask(
        Durations, json_block("tasks", TASKS), json_block("batch", TASKS[4:6])
    ).task_details
    assert [task.task_id for task in details] == ["task-0004", "task-0005"]


def test_numbers_of_things_that_have_none_are_counted() -> None:
    """Index fields run from 1, and nested ones are numbered by their place."""
    levers = ask(Levers).levers
    assert [lever.lever_index for lever in levers] == list(range(1, len(levers) + 1))
    for number, phase in enumerate(ask(Breakdown).major_phase_details, 1):
        assert phase.major_phase_wbs_number == str(number)
        numbers = [task.subtask_wbs_number for task in phase.subtasks]
        assert numbers == [f"{number}.{n}" for n in range(1, len(numbers) + 1)]


def test_whole_number_ids_match_the_material() -> None:
    """Notes on members take the numbers that the members have."""
    team = [{"id": n, "category": "Caretaker"} for n in (4, 7, 9)]
    notes = ask(MemberNotes, json_block("team_members", team)).team_members
    assert [note.id for note in notes] == [4, 7, 9]


def test_identifiers_made_in_a_reply_are_used_in_it() -> None:
    """Failures refer to the assumptions above them; a score called _5 is between 1 and 5."""
    premortem = ask(Premortem)
    ids = [a.assumption_id for a in premortem.assumptions_to_kill]
    assert ids == [f"A{n}" for n in range(1, len(ids) + 1)]
    for failure in premortem.failure_modes:
        assert failure.root_cause_assumption_id in ids
        assert 1 <= failure.likelihood_5 <= 5


def test_new_things_do_not_borrow_names_of_old_ones() -> None:
    """A list that makes more of what the material lists gives them new names."""

    class Document(BaseModel):
        document_name: str
        description: str

    class Documents(BaseModel):
        documents_to_find: list[Document]

    listed = [{"document_name": "Lease", "description": "The lease."}]
    documents = ask(Documents, json_block("documents", listed)).documents_to_find
    assert len(documents) > 1
    assert all(document.document_name != "Lease" for document in documents)


def test_trees_and_pairs_are_filled() -> None:
    """A shape that holds itself ends after some turns; a pair of objects is two objects."""

    class Node(BaseModel):
        name: str
        children: list[Node]

    class Forest(BaseModel):
        roots: list[Node]
        pair: tuple[Node, Node]

    forest = ask(Forest)
    assert forest.roots[0].children
    assert forest.pair[0].name != forest.pair[1].name


def test_dates_currencies_and_shares_are_plausible() -> None:
    """The start is not after the end, the currency is the plan's, and nulls stay possible."""
    money = ask(Currencies)
    assert money.start_date < money.end_date
    assert 0 <= money.share <= 1
    euro = block("plan", "Raise £640,000 and another £150,000, of which $5 is lost.")
    reply = json.loads(a_model().answer(a_request(user=euro, shape=Currencies)).text)
    assert reply["primary_currency"] == "GBP"
    assert [one["currency"] for one in reply["currency_list"]][:2] == ["GBP", "USD"]
    templates = {ask(Currencies, seed=seed).template is None for seed in range(30)}
    assert templates == {True, False}
