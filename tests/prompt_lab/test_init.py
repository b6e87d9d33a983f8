"""A new data repo under real git, and the scripts and texts that come with it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prompt_lab import dataset
from prompt_lab.command_line import main, parser
from prompt_lab.errors import LabError
from prompt_lab.init import init
from prompt_lab.layout import VARIABLE, Layout
from tests.prompt_lab.conftest import make_zip, tree


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=script.parents[1],
        env={**os.environ, **environment},
    )


def test_new_repo_is_committed_and_clean(tmp_path: Path) -> None:
    """All files are in the first commit, of a default author where git has none."""
    created = init(tmp_path / "a" / "lab")
    assert created.committed
    assert created.left == ()
    root = tmp_path / "a" / "lab"
    assert sorted(_git(root, "ls-files").split()) == sorted(created.added)
    assert _git(root, "status", "--porcelain") == ""
    assert _git(root, "log", "--format=%an %ae").strip() == "Plumbline plumbline@localhost"
    assert dataset.load(Layout(root)) == dataset.Dataset()
    for folder in ("baseline/train", "baseline/verify", "history", "analysis", "scores",
                   "full_plan_comparisons"):  # fmt: skip
        assert (root / folder / ".gitkeep").is_file()


def test_author_of_git_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that git knows stands in the commit."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    init(tmp_path / "lab")
    assert _git(tmp_path / "lab", "log", "--format=%an %ae").strip() == "Ada ada@example.org"


def test_surrounding_repository_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside another repository, even in one of its hooks, only the new one is touched."""
    outer = tmp_path / "outer"
    init(outer)
    before = _git(outer, "rev-parse", "HEAD"), _git(outer, "ls-files", "--stage")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outer))
    assert init(outer / "lab").committed
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name)
    assert (_git(outer, "rev-parse", "HEAD"), _git(outer, "ls-files", "--stage")) == before
    shutil.move(outer / "lab", tmp_path / "moved")
    assert _git(tmp_path / "moved", "status", "--porcelain") == ""


def test_repository_without_commits_is_taken(tmp_path: Path) -> None:
    """A fresh clone of an empty repository, as a forge gives it, is as good as a new directory."""
    subprocess.run(["git", "init", "-q", "--bare", "origin"], cwd=tmp_path, check=True)
    subprocess.run(["git", "clone", "-q", "origin", "lab"], cwd=tmp_path, check=True,
                   capture_output=True)  # fmt: skip
    assert init(tmp_path / "lab").committed


@pytest.mark.parametrize("name", ["notes.md", ".env"])
def test_directory_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    """It is left as it was."""
    (tmp_path / name).write_text("x")
    with pytest.raises(LabError, match="not empty"):
        init(tmp_path)
    assert tree(tmp_path) == {name: b"x"}
    with pytest.raises(LabError, match="not empty"):
        init(tmp_path / name)


def test_data_repo_is_completed_and_nothing_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is added and not committed; what was changed stays and is named."""
    root = tmp_path / "lab"
    init(root)
    (root / "README.md").write_text("mine")
    (root / "scores" / ".gitkeep").unlink()
    (root / "scores" / "board.csv").write_text("x")
    (root / "populate_baseline.py").unlink()
    assert main(["init", str(root)]) == 0
    out = capsys.readouterr().out
    assert re.search("not overwritten: dataset.json, README.md", out)
    assert "Added: populate_baseline.py\n" in out
    assert f"git -C {root} add --all" in out
    assert (root / "README.md").read_text() == "mine"
    assert (
        _git(root, "status", "--porcelain")
        == " M README.md\n D scores/.gitkeep\n?? scores/board.csv\n"
    )
    assert _git(root, "log", "--oneline").count("\n") == 1


def test_missing_git_is_reported(tmp_path: Path) -> None:
    """Without git no file is made."""
    done = subprocess.run(
        [sys.executable, "-m", "prompt_lab", "init", str(tmp_path / "lab")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert (done.returncode, done.stderr.count("Install git")) == (2, 1)
    assert not (tmp_path / "lab").exists()


def test_refusal_of_git_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that fails is quoted, and the same command commits once it does not."""
    hook = tmp_path / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho no commits today >&2\nexit 1\n")
    hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\thooksPath = {hook.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with pytest.raises(LabError, match="no commits today"):
        init(tmp_path / "lab")
    hook.unlink()
    created = init(tmp_path / "lab")
    assert (created.added, created.committed) == ((), True)


@pytest.mark.parametrize(
    "config", ["", '[filter "lfs"]\n\tclean = git-lfs clean\n\trequired = true']
)
def test_commit_works_without_git_lfs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    """Zips and attempts are committed as they are, also where git-lfs is configured but gone."""
    (tmp_path / "gitconfig").write_text(f"[user]\n\tname = a\n\temail = a@b\n{config}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    root = tmp_path / "lab"
    assert main(["init", str(root)]) == 0
    crlf = {"plan.txt": "Build\r\na lighthouse.\r\n"}
    source = make_zip(tmp_path / "zips" / "train" / "silo.zip", crlf)
    assert main(["populate", str(tmp_path / "zips"), "--prompt-lab-dir", str(root)]) == 0
    attempts = root / "history" / "0" / "00_setup" / "attempts.jsonl"
    attempts.parent.mkdir(parents=True)
    attempts.write_bytes(b'{"a": 1}\r\n{"b": 2}\n')
    _git(root, "-c", "core.autocrlf=true", "add", "--all")
    _git(root, "commit", "-m", "A plan and a run")
    assert _git(root, "status", "--porcelain") == ""
    for path in (attempts, root / "baseline/train/silo.zip", root / "baseline/train/silo/plan.txt"):
        done = subprocess.run(
            ["git", "show", f"HEAD:{path.relative_to(root)}"],
            cwd=root,
            capture_output=True,
            check=True,
        )
        assert done.stdout == path.read_bytes()
    assert source.read_bytes() == (root / "baseline/train/silo.zip").read_bytes()
    assert not [
        name for name in _git(root, "ls-files").split() if "scratch" in name or "lock" in name
    ]


def test_git_lfs_lines_are_ready(tmp_path: Path) -> None:
    """Without their mark they are valid attributes for zips and attempts, and only for those."""
    root = tmp_path / "lab"
    init(root)
    path = root / ".gitattributes"
    path.write_text(re.sub(r"^# (/.*filter=lfs)", r"\1", path.read_text(), flags=re.MULTILINE))
    names = ["baseline/train/a.zip", "history/0/00_x/attempts.jsonl", "history/0/00_x/meta.json"]
    filters = [_git(root, "check-attr", "filter", "--", name).split()[-1] for name in names]
    assert filters == ["lfs", "lfs", "unspecified"]


def test_commands_of_the_readme_are_commands(tmp_path: Path) -> None:
    """Every command of this package in it parses, and every path in its table exists."""
    init(tmp_path / "lab")
    text = (tmp_path / "lab" / "README.md").read_text()
    commands = re.findall(r"python -m prompt_lab ([^#`\n]+)", text)
    assert len(commands) >= 3
    for command in commands:
        parser().parse_args(shlex.split(command))
    for path in re.findall(r"`([a-z_]+[/.][a-z_./]*)`", text):
        assert "/PLAN" in path or ".locks" in path or (tmp_path / "lab" / path).exists(), path


def test_populate_script_works_from_anywhere(tmp_path: Path) -> None:
    """It populates the data repo that contains it."""
    root = tmp_path / "lab"
    init(root)
    source = make_zip(tmp_path / "silo.zip")
    done = _run(root / "populate_baseline.py", str(source), "--split", "train")
    assert done.returncode == 0, done.stderr
    assert (root / "baseline" / "train" / "silo" / "001-2-plan.txt").is_file()


def test_iteration_script_calls_the_package(tmp_path: Path) -> None:
    """It passes its arguments on and names its directory, unless another is set already."""
    init(tmp_path / "lab")
    script = tmp_path / "lab" / "run_optimization_iteration.py"
    package = tmp_path / "packages" / "self_improve"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    packages = {"PYTHONPATH": str(package.parent)}
    done = _run(script, **packages)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot run iterations" in done.stderr
    (package / "iteration.py").write_text(
        "import os, sys\nprint(__name__, os.environ['PROMPT_LAB_DIR'], *sys.argv[1:])\n"
    )
    done = _run(script, "--step", "setup", **packages)
    assert done.stdout == f"__main__ {tmp_path / 'lab'} --step setup\n"
    done = _run(script, **packages, **{VARIABLE: "elsewhere"})
    assert done.stdout == "__main__ elsewhere\n"


@pytest.mark.parametrize("name", ["populate_baseline.py", "run_optimization_iteration.py"])
def test_scripts_say_when_the_package_is_missing(tmp_path: Path, name: str) -> None:
    """Another Python than the one with Plumbline gets one sentence."""
    init(tmp_path / "lab")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "lab" / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install" in done.stderr


def test_several_at_once_make_one_data_repo(tmp_path: Path) -> None:
    """Four processes, one first commit, and nobody is in another's way."""
    words = [sys.executable, "-m", "prompt_lab", "init", str(tmp_path / "a" / "lab")]
    processes = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    root = tmp_path / "a" / "lab"
    assert _git(root, "rev-list", "--count", "HEAD").strip() == "1"
    assert _git(root, "status", "--porcelain") == ""


def test_repository_that_a_killed_git_left_is_completed(tmp_path: Path) -> None:
    """It may have come as far as an empty directory, or to a lock."""
    root = tmp_path / "lab"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "plumbline-at-work").touch()
    (root / ".git" / "index.lock").touch()
    assert init(root).committed
    assert _git(root, "status", "--porcelain") == ""
