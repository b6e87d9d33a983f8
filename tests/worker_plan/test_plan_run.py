"""Putting a plan text in place, and going on with what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_gateway.errors import ConfigError
from tests.worker_plan.conftest import PLAN, names_in
from worker_plan.errors import PlanError
from worker_plan.plan_record import METADATA
from worker_plan.plan_run import begin, resume
from worker_plan.steps.setup import Setup


def test_text_is_put_in_place(tmp_path: Path) -> None:
    """The directory is made, with the text and the version of the pipeline."""
    begin(tmp_path / "plans" / "boat", PLAN)
    assert Setup.plan.load(tmp_path / "plans" / "boat") == PLAN
    metadata = json.loads((tmp_path / "plans" / "boat" / METADATA).read_text())
    assert metadata == {"pipeline_version": 1}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_file_is_read(tmp_path: Path, mark: bytes) -> None:
    """A name of a file stands for its content, without a byte order mark and with its line ends."""
    (tmp_path / "idea.txt").write_bytes(mark + "Ein Café\r\nam Kanal.".encode())
    begin(tmp_path / "run", str(tmp_path / "idea.txt"))
    assert Setup.plan.load(tmp_path / "run") == "Ein Café\r\nam Kanal."


def test_name_may_begin_with_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the user's home, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "idea.txt").write_text(PLAN)
    begin(tmp_path / "run", "~/idea.txt")
    assert Setup.plan.load(tmp_path / "run") == PLAN


@pytest.mark.parametrize(
    "plan",
    [
        "A sentence. " * 1000,
        "Line\nline",
        "~30 people bake bread.",
        "a\0b c",
        "船の上のパン屋/村へ",
    ],
    ids=["long", "lines", "tilde", "zero byte", "no spaces"],
)
def test_what_names_no_file_is_the_text(tmp_path: Path, plan: str) -> None:
    """Texts that no file could be called are taken as they are."""
    begin(tmp_path / "run", plan)
    assert Setup.plan.load(tmp_path / "run") == plan


@pytest.mark.parametrize("plan", ["", "  \n\t", "\ufeff"])
def test_empty_text_is_refused(tmp_path: Path, plan: str) -> None:
    """No directory is made for it."""
    with pytest.raises(PlanError, match="empty"):
        begin(tmp_path / "run", plan)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n"])
def test_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file without text is as good as none."""
    (tmp_path / "idea.txt").write_bytes(content)
    with pytest.raises(PlanError, match="empty"):
        begin(tmp_path / "run", str(tmp_path / "idea.txt"))


def test_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """The message names the file and the first wrong byte."""
    (tmp_path / "idea.txt").write_bytes("Ein Café.".encode("latin-1"))
    with pytest.raises(PlanError, match=r"idea\.txt is not UTF-8 \(byte 7\)"):
        begin(tmp_path / "run", str(tmp_path / "idea.txt"))


def test_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A text in another encoding is reported, not changed."""
    with pytest.raises(PlanError, match="not UTF-8"):
        begin(tmp_path / "run", b"Ein Caf\xe9 am Kanal.".decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("plan", ["idea.txt", "plans/idea.md", "../IDEA.TXT"])
def test_name_of_a_file_that_is_not_there_is_no_text(tmp_path: Path, plan: str) -> None:
    """A mistyped name does not become the plan."""
    with pytest.raises(PlanError, match=f"There is no file {plan}"):
        begin(tmp_path / "run", plan)
    assert names_in(tmp_path) == []


def test_same_text_again_is_the_same_plan(tmp_path: Path) -> None:
    """Beginning twice is not an error, and changes no artifact."""
    begin(tmp_path, PLAN)
    (tmp_path / "002-2-redline_gate.md").write_text("done")
    begin(tmp_path, PLAN)
    assert (tmp_path / "002-2-redline_gate.md").read_text() == "done"


def test_directory_of_another_plan_is_refused(tmp_path: Path) -> None:
    """The other plan stays as it is."""
    begin(tmp_path, PLAN)
    with pytest.raises(PlanError, match=r"contains another plan\. Name another one"):
        begin(tmp_path, "Something else.")
    assert Setup.plan.load(tmp_path) == PLAN


def test_directory_without_a_plan_cannot_go_on(tmp_path: Path) -> None:
    """The message names what is missing and how to begin."""
    with pytest.raises(PlanError, match=r"contains no 001-2-plan\.txt. Start with"):
        resume(tmp_path, models=["sim"], speed="PING_LLM", workers=1)


def test_unknown_model_stops_before_any_step(run_dir: Path) -> None:
    """The nearest name is suggested, and nothing is written."""
    with pytest.raises(ConfigError, match="Did you mean sim-weak"):
        resume(run_dir, models=["sim-weka"], speed="PING_LLM", workers=1)
    assert names_in(run_dir) == ["001-2-plan.txt"]
