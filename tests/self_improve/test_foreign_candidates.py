"""Candidates as data in foreign pipelines: what was replaced is what was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from prompt_lab.record import Run
from tests.self_improve.commands import FOREIGN, Ran, only_run, run, runs, sent

pytestmark = pytest.mark.xdist_group("foreign_candidates")

PLAIN, PLANNING = FOREIGN / "plain_pipeline", FOREIGN / "planning_pipeline"
FIND = "worker_plan_internal.lever.find_levers"
QUALITY = "worker_plan_internal.lever.quality:LEVER_QUALITY"
ORIGINALS = {
    "HOUSE_RULES": "You work at the counter of a lost property office.",
    "SORT_TEMPLATE": "Below is the counter's log",
    "Item.found_at": "The place where it was picked up.",
    QUALITY: "a sentence that would fit any other undertaking",
    f"{FIND}:LeverOption.price": "What is given up by deciding so, in one sentence.",
    "FIND_LEVERS_SYSTEM_PROMPT": "You read a plan and look for its levers",
    "ENRICH_LEVERS_PROMPT": "say in two or three sentences what hangs on it",
}
SORT = (
    "--step", "sort_items", "--host", PLAIN / "host.toml", "--model", "sim-strong",
    "--plan-dir", FOREIGN / "plain_plans" / "monday",
)  # fmt: skip
CLOSED_HOST = """\
import_roots = ["closed"]
tasks = ["closed:Closed"]
run_dir = "place"
model = "who"

[environment]
OPENAI_BASE_URL = "{gateway_url}"
OPENAI_API_KEY = "none"
"""
CLOSED_TASK = """\
from pathlib import Path

import luigi
import openai

WORDS = "The original words."


def with_words(words):
    def bind(run):
        return lambda self: run(self, words)

    return bind


class Given(luigi.ExternalTask):
    place = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(Path(self.place) / "given.txt")


class Closed(luigi.Task):
    place = luigi.Parameter()
    who = luigi.Parameter()

    def requires(self):
        return Given(place=self.place)

    def output(self):
        return luigi.LocalTarget(Path(self.place) / "done.txt")

    @with_words(WORDS)
    def run(self, bound):
        messages = [{"role": "system", "content": bound}, {"role": "user", "content": WORDS}]
        openai.OpenAI().chat.completions.create(model=self.who, messages=messages)
        Path(self.output().path).write_text("done")
"""


def with_prompts(
    texts: Mapping[str, str], folder: Path, *, host: Path, step: str, plans: str
) -> Ran:
    """Run a step on one plan with these texts, one file each."""
    words: list[str | Path] = []
    for number, (surface, text) in enumerate(texts.items()):
        file = folder / f"{number}.txt"
        file.write_text(text, encoding="utf-8")
        words += ["--prompt", f"{surface}={file}"]
    return run(
        "--host", host / "host.toml", "--step", step, "--model", "sim", "--seed", "3",
        "--plan-dir", FOREIGN / plans, *words, output=folder / "out",
    )  # fmt: skip


def check_replaced(run: Run, texts: Mapping[str, str]) -> None:
    """Assert that every text was sent, none of the originals was, and that the record says so."""
    said = "\n".join(sent(run))
    for surface, text in texts.items():
        assert text.splitlines()[0] in said
        assert ORIGINALS[surface] not in said
    rows = [row for row in run.surfaces()["surfaces"] if row["candidate"]]
    assert len(rows) == len(texts)
    assert {row["text"] for row in rows} == set(texts.values())
    assert all(row["sent"] and not row["original_sent"] for row in rows)
    assert len(run.meta["candidate"]["surfaces"]) == len(texts)
    done = run.done()
    assert done is not None
    assert not any("candidate" in reason for reason in done["evidence"]["reasons"])


def test_constant_template_and_description_of_a_nested_model(tmp_path: Path) -> None:
    """A name bound twice, a template and a nested description are replaced in one candidate."""
    texts = {
        "HOUSE_RULES": "New rules: say less. Ränder und 日本 bleiben.",
        "SORT_TEMPLATE": "New template.\n{log}\nSort it into {{entries}}.",
        "Item.found_at": "The new description of a place.",
    }
    ran = with_prompts(texts, tmp_path, host=PLAIN, step="sort_items", plans="plain_plans/monday")
    assert ran.code == 0, ran.err
    done = only_run(tmp_path / "out")
    check_replaced(done, texts)
    assert "a green umbrella" in sent(done)[1]
    schema = done.attempts()[0].schema
    assert schema is not None
    assert schema["$defs"]["Item"]["properties"]["found_at"]["description"] == (
        "The new description of a place."
    )


def test_constant_imported_by_name_and_nested_description_sent_as_text(tmp_path: Path) -> None:
    """What another module imported by name follows, and so does a schema that goes as text."""
    texts = {
        QUALITY: "New quality: only numbers.",
        "FIND_LEVERS_SYSTEM_PROMPT": "New search: find three levers.",
        f"{FIND}:LeverOption.price": "The new description of a price.",
    }
    ran = with_prompts(
        texts, tmp_path, host=PLANNING, step="potential_levers", plans="planning_plans/tram"
    )
    assert ran.code == 0, ran.err
    check_replaced(only_run(tmp_path / "out"), texts)


def test_constant_that_is_the_default_of_a_parameter(tmp_path: Path) -> None:
    """A default was bound when the function was defined; it is replaced all the same."""
    texts = {
        QUALITY: "New quality.",
        "ENRICH_LEVERS_PROMPT": "A new task:\n{quality} {plan} {levers}, end.",
    }
    ran = with_prompts(
        texts, tmp_path, host=PLANNING, step="enriched_levers", plans="planning_plans/tram"
    )
    assert ran.code == 0, ran.err
    check_replaced(only_run(tmp_path / "out"), texts)


def test_constants_assembled_at_import_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """Nobody would read them again, so the candidate has to come as code; nothing is run."""
    ran = with_prompts(
        {"BODY": "New words.", "worker_plan_internal.risk.parts:PREAMBLE": "Other new words."},
        tmp_path,
        host=PLANNING,
        step="risk_register",
        plans="planning_plans/tram",
    )
    assert ran.code == 2
    assert "puts worker_plan_internal.risk.register:BODY into RISK_REGISTER_SYSTEM" in ran.err
    assert "puts worker_plan_internal.risk.parts:PREAMBLE into" in ran.err
    assert ran.err.count("give the candidate as code with --code DIR") == 2
    assert runs(tmp_path / "out") == []


def test_candidate_that_is_never_sent_is_no_evidence(tmp_path: Path) -> None:
    """A surface that this step does not send is named among the reasons."""
    ran = with_prompts(
        {"NOTICE_TASK": "Write something else, until %(closing)s."},
        tmp_path,
        host=PLAIN,
        step="sort_items",
        plans="plain_plans/monday",
    )
    assert ran.code == 0
    done = only_run(tmp_path / "out").done()
    assert done is not None
    assert any(
        reason.startswith("the candidate's text was never sent")
        and "lost_property.prompts:NOTICE_TASK" in reason
        for reason in done["evidence"]["reasons"]
    )


def test_text_that_could_not_be_replaced_everywhere_is_no_evidence(tmp_path: Path) -> None:
    """A closure keeps the original, which is then sent beside the candidate's text."""
    plan, code = tmp_path / "plan", tmp_path / "code"
    plan.mkdir()
    code.mkdir()
    (plan / "given.txt").write_text("A note.", encoding="utf-8")
    (code / "host.toml").write_text(CLOSED_HOST, encoding="utf-8")
    (code / "closed.py").write_text(CLOSED_TASK, encoding="utf-8")
    (tmp_path / "new.txt").write_text("The candidate's words.", encoding="utf-8")
    ran = run(
        "--host", code / "host.toml", "--step", "closed", "--model", "sim", "--plan-dir", plan,
        "--prompt", f"WORDS={tmp_path / 'new.txt'}", output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    done = only_run(tmp_path / "out")
    assert {"The original words.", "The candidate's words."} <= set(sent(done))
    facts = done.done()
    assert facts is not None
    assert (
        "the text that the candidate replaces was sent as well: closed:WORDS"
        in (facts["evidence"]["reasons"])
    )


def test_all_wrong_prompts_are_reported_at_once(tmp_path: Path) -> None:
    """Unknown, ambiguous, empty and unchanged surfaces are all named, with the nearest."""
    file = tmp_path / "empty.txt"
    file.write_text(" \n", encoding="utf-8")
    ran = run(
        "--host", PLAIN / "host.toml", "--step", "sort_items", "--model", "sim",
        "--plan-dir", FOREIGN / "plain_plans" / "monday",
        "--prompt", f"SORT_TEMPLAT={file}", "--prompt", f"HOUSE_RULES={file}",
        "--prompt", f"SORT_TEMPLATE={tmp_path / 'absent.txt'}", "--prompt", "no equals sign",
        output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 2
    for words in ("SORT_TEMPLATE", "is empty", "cannot be read", "say SURFACE=FILE"):
        assert words in ran.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("{log}", "the log"), "drops the variable {log}"),
        (lambda text: f"On {{date}}: {text}", "adds the variable {date}"),
        (lambda text: text + '{"items": []}', 'adds the variable {"items"}'),
        (lambda text: text + "}", "its template is broken"),
        (lambda text: text.replace("\n", " \n\n"), "This candidate is the baseline"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_template_that_cannot_be_filled_in_is_refused_before_a_call(
    tmp_path: Path, change: Callable[[str], str], message: str, more: tuple[str, ...]
) -> None:
    """With the name of the variable, also by an estimate; and nothing is written."""
    old = run(*SORT, output=tmp_path / "old")
    assert old.code == 0, old.err
    rows = only_run(tmp_path / "old").surfaces()["surfaces"]
    [text] = [row["text"] for row in rows if row["id"].endswith("SORT_TEMPLATE")]
    (tmp_path / "new.txt").write_text(change(text))
    ran = run(*SORT, "--prompt", f"SORT_TEMPLATE={tmp_path / 'new.txt'}", *more, output=tmp_path)
    assert ran.code == 2
    assert message in ran.err
    assert runs(tmp_path) == []


def test_braces_of_a_text_that_is_not_filled_in_are_its_own(tmp_path: Path) -> None:
    """The house rules are sent as they are."""
    (tmp_path / "new.txt").write_text('Reply like {"items": [}, never with {date}.')
    prompt = ("--prompt", f"HOUSE_RULES={tmp_path / 'new.txt'}")
    assert run(*SORT, *prompt, output=tmp_path).code == 0
    assert any("never with {date}" in text for text in sent(only_run(tmp_path)))
