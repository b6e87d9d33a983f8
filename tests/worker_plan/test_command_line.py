"""`python -m worker_plan`, through the real gateway process and the simulated models."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from model_gateway import beside, entry_files
from tests.waiting import LONGEST, until
from tests.worker_plan.conftest import ATTEMPTS, PLAN, command, names_in, rows
from worker_plan.command_line import main
from worker_plan.pipeline import all_steps
from worker_plan.step import Step

SLOW = """
name = "slow"
provider = "simulated"
model_id = "simulated/strong"
workers = 64
options = { persona = "strong", latency_seconds = 0.15 }
price = { input = 0, output = 0 }
"""


def answered(run_dir: Path) -> Counter[tuple[str, str]]:
    """Return how often each call was answered."""
    return Counter((row["cell"], row["key"]) for row in rows(run_dir) if row["status"] == "ok")


def test_plan_is_finished(finished: Path) -> None:
    """All steps are done: every artifact is there, and every call was answered once."""
    expected = {artifact.name for step in all_steps() for artifact in step.writes()}
    beside_them = {
        ".gateway", ".order.json", "001-3-planexe_metadata.json", "expected_filenames1.json",
        "usage_metrics.jsonl", "activity_overview.json", "999-pipeline_complete.txt",
    }  # fmt: skip
    one_name = re.compile(r"^(016-1|017-1[13]|022-1|023-1)-\d+-")
    names = {one_name.sub(r"\1-<n>-", name) for name in names_in(finished)}
    assert expected | beside_them == names
    assert len(all_steps()) == 62
    assert set(answered(finished).values()) == {1}
    assert len(rows(finished)) == answered(finished).total()


def test_second_run_calls_nothing(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command says that all is done, and starts no gateway."""
    before = rows(finished)
    arguments = ["run", "--plan", PLAN, "--model", "sim", "--run-dir", str(finished)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"Done: {finished}\n"
    assert rows(finished) == before
    assert not beside.stop(finished)


def test_lost_artifact_is_made_again_alone(finished: Path, a_copy) -> None:
    """Only the step whose artifact is gone runs; what comes after it stays."""
    [last] = [step for step in all_steps() if step.__name__ == "ScenariosMarkdown"]
    run_dir = Path(a_copy(last).run_dir)
    assert main(["resume", str(run_dir), "--model", "sim"]) == 0
    assert last.markdown.load(run_dir) == last.markdown.load(finished)
    assert not (run_dir / ".gateway").exists()


@pytest.mark.parametrize("gateway", ["gone", "alive"])
def test_killed_pipeline_goes_on_without_repeating_a_call(
    tmp_path: Path, llm_config: Path, gateway: str
) -> None:
    """After kill -9 in mid-step its workers are gone too, and no answer is asked for twice."""
    (llm_config / "slow.toml").write_text(SLOW)
    run_dir = tmp_path / "run"
    arguments = ["--plan", PLAN, "--model", "slow", "--run-dir", str(run_dir)]
    process = subprocess.Popen(command("run", *arguments), stderr=subprocess.PIPE)
    middle = ("IdentifyPotentialLevers", "levers_2")
    until(lambda: (run_dir / ATTEMPTS).exists() and middle in answered(run_dir), process)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = names_in(run_dir)
    assert psutil.wait_procs(workers, timeout=LONGEST)[1] == []
    time.sleep(0.4)  # A worker that lived on would end its step within this time.
    assert names_in(run_dir) == left
    if gateway == "gone":
        beside.stop(run_dir)
    try:
        done = subprocess.run(
            command("resume", str(run_dir), "--model", "slow"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        beside.stop(run_dir)
    assert {call: n for call, n in answered(run_dir).items() if n > 1} == {}


@pytest.mark.parametrize(
    ("plan", "model", "said"),
    [
        ("  ", "sim", "error: The plan text is empty."),
        ("{tmp}/latin.txt", "sim", "error: {tmp}/latin.txt is not UTF-8 (byte 3)."),
        ("{tmp}/gone.txt", "sim", "error: There is no file {tmp}/gone.txt."),
        (
            "Another plan.",
            "sim",
            "error: {tmp}/run contains another plan. Name another one with --run-dir.",
        ),
        (PLAN, "simm", "error: There is no model 'simm'. Did you mean sim"),
    ],
)
def test_wrong_input_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: str, model: str, said: str
) -> None:
    """One line says what is wrong; nothing is run."""
    (tmp_path / "latin.txt").write_bytes(b"Caf\xe9")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "001-2-plan.txt").write_text(PLAN)
    plan = plan.replace("{tmp}", str(tmp_path))
    assert main(["run", "--plan", plan, "--model", model, "--run-dir", str(run_dir)]) == 2
    assert capsys.readouterr().err.startswith(said.replace("{tmp}", str(tmp_path)))
    assert not (run_dir / ".gateway").exists()


def test_no_model_and_no_default_ends_with_2(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message lists what could be used."""
    assert main(["resume", str(run_dir)]) == 2
    output = capsys.readouterr().err
    assert "No model was named and no default is set." in output
    assert "sim" in output


def test_resume_goes_on_with_the_models_of_the_plan(
    finished: Path, a_copy: Callable[[type[Step]], Step], capsys: pytest.CaptureFixture[str]
) -> None:
    """What an interrupted command says can be typed as it stands."""
    [last] = [step for step in all_steps() if step.__name__ == "ScenariosMarkdown"]
    run_dir = Path(a_copy(last).run_dir)
    options = json.loads((finished / ".order.json").read_bytes())
    assert options == {"models": ["sim-strong"], "speed": "ALL_DETAILS_BUT_SLOW"}
    (run_dir / ".order.json").write_text(json.dumps(options | {"speed": "PING_LLM"}))
    assert main(["resume", str(run_dir), "--dry-run"]) == 0
    assert "A plan on sim-strong: about 53 calls" in capsys.readouterr().out
    assert main(["resume", str(run_dir)]) == 0


def test_torn_order_is_none(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then a model has to be named."""
    for torn in ('{"models"', "[]", '{"models": 3}'):
        (run_dir / ".order.json").write_text(torn)
        assert main(["resume", str(run_dir)]) == 2
        assert "No model was named" in capsys.readouterr().err


def test_resume_without_a_plan_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to begin."""
    assert main(["resume", str(tmp_path / "nowhere"), "--model", "sim"]) == 2
    assert "Start with: python -m worker_plan run --plan FILE" in capsys.readouterr().err


def test_file_where_the_directory_should_be_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the path."""
    (tmp_path / "run").write_text("x")
    arguments = ["run", "--plan", PLAN, "--model", "sim", "--run-dir", str(tmp_path / "run")]
    assert main(arguments) == 2
    assert str(tmp_path / "run") in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "-1", "many", "1.5"])
def test_workers_are_a_whole_number_from_1(
    workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is wrong usage."""
    with pytest.raises(SystemExit) as ended:
        main(["resume", "x", "--workers", workers])
    assert ended.value.code == 2
    assert f"{workers} is not a whole number from 1" in capsys.readouterr().err


def test_failed_step_ends_with_1(run_dir: Path) -> None:
    """A step that cannot read its input is named, and the message says how to go on."""
    (run_dir / "002-5-identify_purpose_raw.json").write_text("{}")
    (run_dir / "002-6-identify_purpose.md").write_bytes(b"\xff")
    process = subprocess.run(
        command("resume", str(run_dir), "--model", "sim", "--speed", "PING_LLM"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    beside.stop(run_dir)
    assert process.returncode == 1
    log = run_dir / ".luigi.log"
    *causes, last = process.stderr.splitlines()
    assert any("failed:" in c and "002-6-identify_purpose.md cannot be used" in c for c in causes)
    assert "Traceback" not in process.stderr
    assert "Traceback" in log.read_text()
    resume = f"python -m worker_plan resume {run_dir}"
    assert last == f"A step failed; its traceback is in {log}. To resume, run: {resume}"
    assert (run_dir / "002-2-redline_gate.md").exists()


def test_models_without_a_server_are_refused_before_a_step_begins(
    tmp_path: Path, llm_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them are named; nothing else is printed, and the same command resumes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for name in ("one", "two"):
        (llm_config / f"{name}.toml").write_text(
            f'name = "{name}"\nprovider = "ollama"\nmodel_id = "m"\n'
            f'base_url = "http://127.0.0.1:{port}"\nprice = {{ input = 0, output = 0 }}\n'
        )
    run_dir = tmp_path / "run"
    arguments = ["run", "--plan", PLAN, "--run-dir", str(run_dir)]
    assert main([*arguments, "--model", "one", "--model", "two"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    first, *models = output.err.splitlines()
    assert first == "error: Not every model can be used, so nothing was started:"
    assert [line.split(":")[0] for line in models] == ["  one", "  two"]
    assert not (run_dir / ATTEMPTS).exists()
    assert not (run_dir / ".luigi.log").exists()


def test_ctrl_c_ends_with_130(tmp_path: Path, llm_config: Path) -> None:
    """It says how to go on."""
    (llm_config / "slow.toml").write_text(SLOW.replace("0.15", "30"))
    run_dir = tmp_path / "run"
    arguments = ["--plan", PLAN, "--model", "slow", "--run-dir", str(run_dir)]
    process = subprocess.Popen(command("run", *arguments), stderr=subprocess.PIPE, text=True)
    until((run_dir / ".gateway" / "gateway.json").exists, process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=LONGEST)[1]
    beside.stop(run_dir)
    assert process.returncode == 130
    assert output.endswith(f"Interrupted. To resume, run: python -m worker_plan resume {run_dir}\n")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """The models in the examples exist."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    output = capsys.readouterr().out
    for line in output.splitlines():
        words = line.split()
        if "--model" in words:
            assert entry_files.load().find(words[words.index("--model") + 1])
    assert "exit codes" in output
