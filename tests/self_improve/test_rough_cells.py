"""Steps that behave as badly as code can: each ends in its own row, and nothing else suffers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from model_gateway.call import FailureKind
from prompt_lab.record import Run, changed_since_done, file_digest
from tests.self_improve.commands import FOREIGN, Ran, digests, only_run, run, run_apart
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("rough_cells")

HOST = FOREIGN / "rough_pipeline" / "host.toml"
SECRETS = {
    "OPENAI_API_KEY": "sk-first-secret",
    "SOME_SERVICE_TOKEN": "second-secret",
    "db_password": "third-secret",
    "PLUMBLINE_TEST_PLAIN": "no secret",
}
WELL = (
    "nothing", "talk", "leave_a_child", "leave_a_daemon", "leave_a_thread", "tell_environment",
    "tell_stdin", "take_names", "clear_up",
)  # fmt: skip
FAILURES = {
    "never_ask": "the step ended without asking a model",
    "ask_where_it_was": "Connection refused",
    "exit_at_once": "Died: the process ended before the step did (exit status 7)",
    "exit_as_if_well": "Died: the process ended before the step did (exit status 0)",
    "leave": "SystemExit: it is late: 日暮れ",
    "break_down": "ValueError: kaputt: größer als \U0001f40d, und \\udce4 dazu",
    "break_down_unspeakably": "UnspeakableError: its message cannot be read",
    "crash": "Died: the process ended before the step did (killed by SIGSEGV)",
    "block_the_output": "IsADirectoryError",
    "want_memory": "refused memory, 3 times",
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the one run that all tests look at."""
    return tmp_path_factory.mktemp("rough") / "out"


@pytest.fixture(scope="module")
def ran(output: Path) -> Ran:
    """Run every deed once, side by side, each as a plan of its own."""
    plans = output.parent / "plans"
    for deed in (*WELL, *FAILURES):
        (plans / deed).mkdir(parents=True)
        (plans / deed / "deed.txt").write_text(deed, encoding="utf-8")
    return run_apart(
        "--host", HOST, "--step", "do_deed", "--model", "sim", "--baseline-dir", plans,
        "--timeout", "30", "--accept-failures", output=output,
        environment={**SECRETS, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(ran: Ran, output: Path) -> Run:
    """Return the run."""
    assert ran.code == 1, ran.err
    return only_run(output)


def test_every_deed_has_its_row(done: Run) -> None:
    """The run is finished and whole, whatever its cells did; the lack of memory is accepted."""
    assert done.rows().keys() == {(deed, 0) for deed in (*WELL, *FAILURES)}
    facts = done.done()
    assert facts is not None
    assert facts["cells"]["ok"] == len(WELL)
    assert facts["cells"]["failed"] == len(FAILURES)
    assert changed_since_done(done) == []


@pytest.mark.parametrize("deed", WELL)
def test_deed_that_harms_nobody_is_a_success(done: Run, deed: str) -> None:
    """The step did what it was there for, so its output is kept."""
    assert done.rows()[deed, 0]["status"] == "ok"
    assert (done.outputs(deed) / "done.txt").is_file()


@pytest.mark.parametrize(("deed", "words"), FAILURES.items())
def test_deed_that_fails_says_how(done: Run, deed: str, words: str) -> None:
    """Exits, signals and exceptions of any text end in a row with the reason."""
    row = done.rows()[deed, 0]
    assert row["status"] == "error"
    assert words in row["error"]
    assert not done.outputs(deed).exists()
    assert (done.path / "failed" / deed / "0").is_dir()


def test_lack_of_memory_is_not_the_fault_of_a_text(done: Run) -> None:
    """It is tried again, and then the world's failure, as if the kernel had killed the cell."""
    assert done.rows()["want_memory", 0]["failure_kind"] == FailureKind.killed
    rows = map(json.loads, (done.path / "events.jsonl").read_text("utf-8").splitlines())
    killed = [row["plan_name"] for row in rows if row["event"] == "cell_killed"]
    assert killed == ["want_memory"] * 2


def test_failure_keeps_what_helps_to_understand_it(done: Run) -> None:
    """An exception leaves its traceback, a crash the interpreter's."""
    failed = done.path / "failed"
    assert "in break_down" in (failed / "break_down" / "0" / "trace.txt").read_text("utf-8")
    assert "Segmentation fault" in (failed / "crash" / "0" / "log.txt").read_text("utf-8")


def test_output_of_a_step_goes_into_its_own_log(done: Run, ran: Ran) -> None:
    """What a step and its children print stays out of the command's output and of other logs."""
    log = (done.outputs("talk") / "log.txt").read_text(encoding="utf-8")
    for words in ("said aloud: Grüße", "a word on stderr", "a word of a child", '{"ended": "all"'):
        assert words in log
        assert words not in ran.out + ran.err
    assert not (done.outputs("nothing") / "log.txt").exists()


@pytest.mark.parametrize("deed", ["leave_a_child", "leave_a_daemon"])
def test_process_left_behind_is_ended(done: Run, deed: str) -> None:
    """A process that outlives its cell is killed, also if it has left the cell's session."""
    pid = int((done.outputs(deed) / "done.txt").read_text(encoding="utf-8"))
    until(lambda: not _runs(pid, "sleep"))


def test_cell_has_no_keys_in_its_environment(done: Run) -> None:
    """Only variables that are allowed get in, and those that the host file sets."""
    values = json.loads((done.outputs("tell_environment") / "done.txt").read_text(encoding="utf-8"))
    assert not set(SECRETS.values()) & set(values.values())
    assert not values.keys() & SECRETS.keys()
    assert values["EXPLICITLY_SET_KEY"] == "set by the host file"
    assert values["ASK_AT"].startswith("http://127.0.0.1:")


def test_cell_has_nobody_who_types(done: Run) -> None:
    """Standard input is empty, so nothing waits for it."""
    assert (done.outputs("tell_stdin") / "done.txt").read_text(encoding="utf-8") == "''"


def test_files_called_like_the_record_are_kept_apart(done: Run) -> None:
    """A step may write a log.txt of its own; digests and files agree for both."""
    folder = done.outputs("take_names")
    text = "the pipeline's own\n"
    for name in ("log.txt", "usage_metrics.jsonl", "activity_overview.json", "row.json"):
        assert (folder / "step" / name).read_text(encoding="utf-8") == text
        assert (folder / name).read_text(encoding="utf-8") != text
    after = digests(folder)
    recorded = done.rows()["take_names", 0]["outputs"]
    assert recorded.items() <= after.items()
    assert len(recorded) == 5


def test_task_that_asks_for_others_while_it_runs(tmp_path: Path) -> None:
    """Luigi's dynamic dependencies are taken from the stored plan, and named if it lacks them."""
    plans = tmp_path / "plans"
    targets = {"there": "deed.txt", "stored": "sub/more_deeds.txt", "missing": "absent.txt"}
    for name, target in targets.items():
        (plans / name / "sub").mkdir(parents=True)
        (plans / name / "deed.txt").write_text(target, encoding="utf-8")
    stored = plans / "stored" / "sub" / "more_deeds.txt"
    stored.write_text("A deed that was done before.", encoding="utf-8")
    ran = run(
        "--host", HOST, "--step", "ask_for_more", "--model", "sim", "--baseline-dir", plans,
        output=tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 1, ran.err
    rows = only_run(tmp_path / "out").rows()
    assert rows["there", 0]["status"] == rows["stored", 0]["status"] == "ok"
    assert rows["stored", 0]["late_inputs"] == {"sub/more_deeds.txt": file_digest(stored)}
    assert set(rows["stored", 0]["outputs"]) == {"more.txt"}
    assert "late_inputs" not in rows["there", 0]
    [asked] = [a for a in only_run(tmp_path / "out").attempts() if a.cell == "stored"]
    assert "A deed that was done before." in asked.messages[-1]["content"]
    assert "nothing was asked on missing, so more is unknown" in ran.err
    assert (
        "the step asks for extra, which is not complete and which the plan does not hold"
        in rows["missing", 0]["error"]
    )
    assert rows["missing", 0]["calls"] == 0


def _runs(pid: int, name: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return words[1] == f"({name})" and words[2] != "Z" and pid != os.getpid()
