"""Two pipelines that know nothing of the optimizer, listed and re-executed as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from prompt_lab.record import Run
from tests.self_improve.commands import (
    FOREIGN,
    Ran,
    digests,
    list_steps,
    only_run,
    run,
    run_apart,
    runs,
)

pytestmark = pytest.mark.xdist_group("foreign")

PLAIN_STEPS = ("sort_items", "write_notice")
PLANNING_STEPS = (
    "premise_review", "potential_levers", "enriched_levers", "screened_levers", "risk_register",
)  # fmt: skip
FIND, ENRICH = "worker_plan_internal.lever.find_levers", "worker_plan_internal.lever.enrich_levers"
SCREEN, RISK = "worker_plan_internal.lever.screen_levers", "worker_plan_internal.risk.register"
QUALITY = "worker_plan_internal.lever.quality:LEVER_QUALITY"
BODY = f"{RISK}:BODY"
PREAMBLE = "worker_plan_internal.risk.parts:PREAMBLE"

EARLY_TASK = """
from pathlib import Path

import luigi
import openai

CLIENT = openai.OpenAI(max_retries=0)


class Given(luigi.ExternalTask):
    desk = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(Path(self.desk) / "log.md")


class Everything(luigi.Task):
    desk = luigi.Parameter()
    engine = luigi.Parameter()
    tone = luigi.Parameter()

    def requires(self):
        return Given(desk=self.desk)

    def output(self):
        return luigi.LocalTarget(Path(self.desk) / "done.txt")

    def run(self):
        CLIENT.chat.completions.create(model="m", messages=[{"role": "user", "content": "-"}])
"""


class Used:
    """A copy of one pipeline and its plans, every step of which was run, and what came of it."""

    def __init__(self, name: str, steps: tuple[str, ...], folder: Path) -> None:
        self.original = FOREIGN / f"{name}_pipeline"
        self.plans = FOREIGN / f"{name}_plans"
        self.code = folder / "code"
        self.output = folder / "out"
        self.plans_before = digests(self.plans)
        shutil.copytree(self.original, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        host = self.code / "host.toml"
        self.results: dict[str, Ran] = {
            step: run(
                "--host", host, "--step", step, "--model", "sim", "--baseline-dir", self.plans,
                output=self.output,
            )
            for step in steps
        }  # fmt: skip
        self.runs: dict[str, Run] = {run.step: run for run in runs(self.output)}

    def listing(self, plan: str) -> dict[str, Any]:
        """Return the confirmed steps, as the command lists them."""
        plan_dir = self.plans / plan
        ran = list_steps("--host", self.code / "host.toml", "--confirm", "--plan-dir", plan_dir)
        assert ran.code == 0, ran.err
        return {step["name"]: step for step in ran.json["steps"]}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Used:
    """Return the plain pipeline after use."""
    return Used("plain", PLAIN_STEPS, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Used:
    """Return the planning pipeline after use."""
    return Used("planning", PLANNING_STEPS, tmp_path_factory.mktemp("planning"))


@pytest.fixture(scope="module")
def plain_listing(plain: Used) -> dict[str, Any]:
    """Return the steps of the plain pipeline."""
    return plain.listing("monday")


@pytest.fixture(scope="module")
def planning_listing(planning: Used) -> dict[str, Any]:
    """Return the steps of the planning pipeline."""
    return planning.listing("tram")


def surfaces(step: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the surfaces of a listed step by id."""
    return {surface["id"]: surface for surface in step["surfaces"]}


# ------------------------------------------------------------------------------- running


@pytest.mark.parametrize("step", PLAIN_STEPS)
def test_plain_step_runs_on_every_plan(plain: Used, step: str) -> None:
    """A step with an OpenAI SDK call inside is re-executed on all plans and recorded."""
    assert plain.results[step].code == 0, plain.results[step].err
    rows = plain.runs[step].rows()
    assert {(plan, row["status"]) for (plan, _), row in rows.items()} == {
        ("monday", "ok"),
        ("freitag", "ok"),
    }
    assert all(row["calls"] == row["attempts"] == 1 for row in rows.values())


@pytest.mark.parametrize("step", PLANNING_STEPS)
def test_planning_step_runs_on_every_plan(planning: Used, step: str) -> None:
    """A step with llama-index calls inside is re-executed on all plans and recorded."""
    assert planning.results[step].code == 0, planning.results[step].err
    rows = planning.runs[step].rows()
    assert {(plan, row["status"]) for (plan, _), row in rows.items()} == {
        ("tram", "ok"),
        ("windmuehle", "ok"),
    }


def test_outputs_are_recorded_with_their_digests(plain: Used) -> None:
    """What a step wrote is in the run as it wrote it, subdirectories included."""
    done = plain.runs["sort_items"]
    written = done.outputs("freitag") / "sorted" / "items.json"
    assert json.loads(written.read_text(encoding="utf-8"))["items"]
    row = done.rows()["freitag", 0]
    assert list(row["outputs"]) == ["sorted/items.json"]
    assert row["outputs"]["sorted/items.json"] == digests(written.parent)["items.json"]
    assert plain.runs["write_notice"].outputs("monday").joinpath("notice.txt").read_text()


def test_inputs_are_found_under_numbered_names(planning: Used) -> None:
    """Baseline plans with numbered names are read under the names that the pipeline knows."""
    inputs = planning.runs["enriched_levers"].meta["inputs"]["tram"]
    before = digests(planning.plans / "tram")
    assert inputs == {
        "plan.txt": before["001-2-plan.txt"],
        "potential_levers_raw.json": before["002-9-potential_levers_raw.json"],
        "potential_levers.json": before["002-10-potential_levers.json"],
    }
    written = planning.runs["enriched_levers"].outputs("tram") / "enriched_levers.json"
    assert json.loads(written.read_text(encoding="utf-8"))[0]["description"]
    asked = planning.runs["enriched_levers"].attempts()
    assert any("Where the cars come from" in attempt.messages[0]["content"] for attempt in asked)


def test_step_with_a_call_for_each_batch_makes_them_all(planning: Used) -> None:
    """Three levers in batches of two are two calls with keys of their own in the record."""
    attempts = planning.runs["enriched_levers"].attempts()
    assert len({attempt.key for attempt in attempts if attempt.cell == "tram"}) == 2


def test_structured_calls_of_all_three_kinds_arrive(planning: Used) -> None:
    """The schema goes as text, natively, or as a tool, as the pipeline has it."""
    by_step = {step: done.attempts()[0] for step, done in planning.runs.items()}
    assert by_step["potential_levers"].schema is None
    assert "JSON schema" in by_step["potential_levers"].messages[0]["content"]
    for step, field in (("screened_levers", "levers"), ("risk_register", "risks")):
        schema = by_step[step].schema
        assert schema is not None
        assert list(schema["properties"]) == [field]


def test_input_changed_in_place_is_kept_and_the_baseline_is_not_touched(planning: Used) -> None:
    """The copy that a step overwrote is one of its outputs; the baseline's file stays as it was."""
    outputs = planning.runs["screened_levers"].rows()["tram", 0]["outputs"]
    assert set(outputs) == {"screened_levers.json", "potential_levers.json"}
    changed = planning.runs["screened_levers"].outputs("tram") / "potential_levers.json"
    assert json.loads(changed.read_text(encoding="utf-8"))[0]["screened"] is True
    assert digests(planning.plans) == planning.plans_before


def test_what_a_step_prints_is_its_log(planning: Used) -> None:
    """Standard output of a step goes into the log of its cell, and nowhere else."""
    log = planning.runs["risk_register"].outputs("tram") / "log.txt"
    assert log.read_text(encoding="utf-8").startswith("RiskRegisterTask begins")
    assert "RiskRegisterTask begins" not in planning.results["risk_register"].out


def test_code_and_plans_are_unchanged(plain: Used, planning: Used) -> None:
    """After all of this the pipelines and the plans are what they were, byte for byte."""
    for used in (plain, planning):
        assert digests(used.code) == digests(used.original)
        assert digests(used.plans) == used.plans_before


def test_record_names_the_code_without_a_commit(plain: Used) -> None:
    """Code outside git is recorded by its digest, and such a run is not evidence."""
    code = plain.runs["sort_items"].meta["code"]
    assert code["commit"] is None
    assert len(code["digest"]) == 64
    done = plain.runs["sort_items"].done()
    assert done is not None
    assert done["evidence"]["kind"] == "simulated"
    assert any("not in a git repository" in reason for reason in done["evidence"]["reasons"])


def test_same_command_as_a_process_says_that_it_is_done(plain: Used) -> None:
    """The command as users type it finds the finished run, and sends nothing again."""
    before = len(plain.runs["sort_items"].attempts())
    ran = run_apart(
        "--host", plain.code / "host.toml", "--code", plain.code, "--baseline-dir", plain.plans,
        "--step", "sort_items", "--model", "sim", output=plain.output,
    )  # fmt: skip
    assert ran.code == 0
    assert "finished already" in ran.err
    assert len(runs(plain.output)) == len(PLAIN_STEPS)
    assert len(plain.runs["sort_items"].attempts()) == before


# ------------------------------------------------------------------------------- listing


def test_plain_steps_are_listed_upstream_first(plain_listing: dict[str, Any]) -> None:
    """Every task is a step that says what it reads and writes, and whether it calls a model."""
    steps = {
        name: (step["given"], step["calls_model"], step["inputs"], step["outputs"])
        for name, step in plain_listing.items()
    }
    assert list(steps.items()) == [
        ("counter_log", (True, False, [], ["log.md"])),
        ("sort_items", (False, True, ["log.md"], ["sorted/items.json"])),
        ("items_table", (False, False, ["sorted/items.json"], ["table.md"])),
        ("write_notice", (False, True, ["table.md", "sorted/items.json"], ["notice.txt"])),
    ]


def test_planning_steps_are_listed_upstream_first(planning_listing: dict[str, Any]) -> None:
    """Nodes in files of their own are found from the root, under names without a last Task."""
    assert list(planning_listing) == [
        "setup", "premise_review", "potential_levers", "enriched_levers", "screened_levers",
        "risk_register", "levers_markdown", "full_plan_pipeline",
    ]  # fmt: skip
    calling = [name for name, step in planning_listing.items() if step["calls_model"]]
    assert sorted(calling) == sorted(PLANNING_STEPS)
    markdown = planning_listing["levers_markdown"]
    assert markdown["inputs"] == ["enriched_levers.json", "screened_levers.json"]
    assert markdown["upstream"] == ["enriched_levers", "screened_levers"]
    assert markdown["surfaces"] == []


def test_user_role_preamble_template_and_f_string_are_confirmed(
    plain_listing: dict[str, Any],
) -> None:
    """A preamble sent as the user, a filled template and a part of an f-string are found."""
    sort = surfaces(plain_listing["sort_items"])
    assert all(surface["found"] and surface["confirmed"] for surface in sort.values())
    assert sort.keys() == {
        "lost_property.prompts:HOUSE_RULES", "lost_property.prompts:SORT_TEMPLATE",
        "lost_property.shapes:Item.found_at", "lost_property.shapes:Item.thing",
        "lost_property.shapes:SortedItems.items",
    }  # fmt: skip
    notice = surfaces(plain_listing["write_notice"])
    confirmed = {surface_id for surface_id, s in notice.items() if s["confirmed"]}
    assert confirmed == {"lost_property.prompts:HOUSE_RULES", "lost_property.prompts:NOTICE_TASK"}


def test_preamble_of_a_module_imported_late_is_confirmed(planning_listing: dict[str, Any]) -> None:
    """A step that imports its logic when it runs has its prompt found all the same."""
    [preamble] = planning_listing["premise_review"]["surfaces"]
    assert preamble["id"] == "worker_plan_internal.review.premise:PREMISE_PREAMBLE"
    assert preamble["found"]
    assert preamble["confirmed"]


def test_descriptions_are_confirmed_however_the_schema_is_sent(
    planning_listing: dict[str, Any],
) -> None:
    """Those of nested models count, whether the schema stands in the prompt or beside it."""
    for step, ids in {
        "potential_levers": [
            f"{FIND}:LeverOption.label", f"{FIND}:LeverOption.price", f"{FIND}:PotentialLever.name",
            f"{FIND}:PotentialLevers.left_out",
        ],
        "enriched_levers": [
            f"{ENRICH}:LeverDescription.name", f"{ENRICH}:LeverDescriptions.levers",
        ],
        "screened_levers": [f"{SCREEN}:ScreenedLever.verdict", f"{SCREEN}:Screening.levers"],
        "risk_register": [f"{RISK}:Risk.first_sign", f"{RISK}:RiskRegister.risks"],
    }.items():  # fmt: skip
        by_id = surfaces(planning_listing[step])
        assert all(by_id[surface_id]["confirmed"] for surface_id in ids), step


def test_shared_constant_says_so(
    plain_listing: dict[str, Any], planning_listing: dict[str, Any]
) -> None:
    """A constant that several steps send names the others."""
    for listing, surface_id, users in (
        (plain_listing, "lost_property.prompts:HOUSE_RULES", PLAIN_STEPS),
        (planning_listing, QUALITY, ("potential_levers", "enriched_levers")),
    ):
        for one in users:
            others = [other for other in users if other != one]
            assert surfaces(listing[one])[surface_id]["shared_with"] == others


def test_constants_assembled_at_import_are_flagged(planning_listing: dict[str, Any]) -> None:
    """The parts name what they went into, across modules too; the whole is free."""
    by_id = surfaces(planning_listing["risk_register"])
    assert by_id[BODY]["assembled_into"] == ["RISK_REGISTER_SYSTEM_PROMPT"]
    assert by_id[PREAMBLE]["assembled_into"] == [f"{RISK}:RISK_REGISTER_SYSTEM_PROMPT"]
    whole = by_id[f"{RISK}:RISK_REGISTER_SYSTEM_PROMPT"]
    assert whole["confirmed"]
    assert whole["assembled_into"] == []


def test_sent_text_of_no_surface_is_reported(
    plain_listing: dict[str, Any], planning_listing: dict[str, Any]
) -> None:
    """An inline f-string, a prompt in a class and the docstrings of models are named."""
    assert plain_listing["write_notice"]["unmatched"] == [
        "system message: You write in a dry tone, 3 lines."
    ]
    unmatched = planning_listing["screened_levers"]["unmatched"]
    assert "The verdict on one lever." in unmatched
    assert any(text.startswith("system message: Two levers that decide") for text in unmatched)


def test_ignored_constant_is_no_surface(planning_listing: dict[str, Any]) -> None:
    """What the host file declares to be no surface is listed nowhere."""
    listed = {s for step in planning_listing.values() for s in surfaces(step)}
    assert not any(surface_id.endswith(":OPTIMIZE_INSTRUCTIONS") for surface_id in listed)


def test_step_without_its_inputs_stays_unconfirmed(plain: Used, tmp_path: Path) -> None:
    """The listing names what the plan lacks, and lists the rest."""
    shutil.copyfile(plain.plans / "monday" / "log.md", tmp_path / "log.md")
    ran = list_steps("--host", plain.code / "host.toml", "--confirm", "--plan-dir", tmp_path)
    output = {step["name"]: step["trouble"] for step in ran.json["steps"]}
    assert output["sort_items"] is None
    assert "table.md is missing" in output["write_notice"]


# ------------------------------------------------------------------------------ refusing


def test_missing_upstream_artifacts_are_refused_by_name(plain: Used, tmp_path: Path) -> None:
    """Nothing is run and no run begins when a plan lacks what the step reads."""
    plan = tmp_path / "tuesday"
    shutil.copytree(plain.plans / "monday", plan)
    (plan / "table.md").unlink()
    (plan / "sorted" / "items.json").write_text('{"items": [', encoding="utf-8")
    ran = run(
        "--host", plain.code / "host.toml", "--step", "write_notice", "--model", "sim",
        "--plan-dir", plan, "--plan-dir", plain.plans / "freitag", output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 2
    assert "tuesday: table.md is missing" in ran.err
    assert "tuesday: sorted/items.json is not JSON" in ran.err
    assert "freitag" not in ran.err
    assert runs(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("items_table", "calls no model"),
        ("counter_log", "is given, not computed"),
        ("sort_item", "Did you mean sort_items?"),
    ],
)
def test_step_that_cannot_be_measured_is_refused(
    plain: Used, tmp_path: Path, step: str, words: str
) -> None:
    """A step that calls no model, or is none, is refused before a run begins."""
    ran = run(
        "--host", plain.code / "host.toml", "--step", step, "--model", "sim",
        "--baseline-dir", plain.plans, output=tmp_path,
    )  # fmt: skip
    assert ran.code == 2
    assert words in ran.err
    assert runs(tmp_path) == []


def test_names_of_both_generations_at_once_are_refused(plain: Used, tmp_path: Path) -> None:
    """When two files could be an input the command says which, and leaves the choice."""
    host = tmp_path / "host.toml"
    rule = "\n[[name_rules]]\npattern = '^\\d{3}-'\nreplace = ''\n"
    host.write_text((plain.code / "host.toml").read_text("utf-8") + rule, encoding="utf-8")
    plan = tmp_path / "monday"
    plan.mkdir()
    for name in ("001-log.md", "002-log.md"):
        shutil.copyfile(plain.plans / "monday" / "log.md", plan / name)
    ran = run(
        "--host", host, "--code", plain.code, "--step", "sort_items", "--model", "sim",
        "--plan-dir", plan, output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 2
    assert "log.md could be any of 001-log.md, 002-log.md" in ran.err


def test_repeats_are_cells_of_their_own(plain: Used, tmp_path: Path) -> None:
    """Each repeat has its own directory and its own seed."""
    ran = run(
        "--host", plain.code / "host.toml", "--step", "sort_items", "--model", "sim",
        "--plan-dir", plain.plans / "monday", "--repeats", "2", output=tmp_path,
    )  # fmt: skip
    assert ran.code == 0
    done = only_run(tmp_path)
    rows = done.rows()
    assert rows.keys() == {("monday", 0), ("monday", 1)}
    assert rows["monday", 0]["seed"] != rows["monday", 1]["seed"]
    assert (done.outputs("monday", 1) / "sorted" / "items.json").is_file()


def test_client_built_at_import_fails_visibly(plain: Used, tmp_path: Path) -> None:
    """It keeps the address of that moment, which leads nowhere; no other cell is asked for it."""
    code = tmp_path / "code"
    (code / "lost_property").mkdir(parents=True)
    (code / "lost_property" / "__init__.py").write_text("", encoding="utf-8")
    (code / "lost_property" / "tasks.py").write_text(EARLY_TASK, encoding="utf-8")
    ran = run(
        "--host", plain.code / "host.toml", "--code", code, "--step", "everything",
        "--model", "sim", "--plan-dir", plain.plans / "monday", output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 1, ran.err
    row = only_run(tmp_path / "out").rows()["monday", 0]
    assert row["error"] == "APIConnectionError: Connection error."
    assert row["calls"] == 0
