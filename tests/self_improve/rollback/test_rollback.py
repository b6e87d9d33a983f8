"""Going back to an earlier best: the whole command on a repository with three bests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import worker_plan
from prompt_lab.claim import claim
from prompt_lab.init import init
from prompt_lab.scores import Best, Score, Scores
from self_improve.code import patch
from self_improve.forge.forge import StatusState
from self_improve.forge.local import LocalForge
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.surfaces import Surface
from self_improve.rollback import bests, restoration
from self_improve.rollback.command_line import main
from tests.self_improve.iteration.conftest import GOOD, SURFACE, WEAK, git
from tools.code_and_lab import CodeAndLab

STEP = "plan_type"
MODULE = f"worker_plan.steps.{STEP}"
PROMPT, FIELD = f"{MODULE}:PLAN_TYPE_SYSTEM_PROMPT", f"{MODULE}:PlanTypeReply.explanation"
TEXTS = {
    "first": {PROMPT: "Say of what kind the plan is, in one word.", FIELD: "Why, in one sentence."},
    "second": {PROMPT: 'Say of what "kind" the plan is.\nNothing else.\n'},
    "third": {FIELD: "Why, in five sentences."},
}
"""What each best changed; the third leaves the prompt of the second as it is."""


@dataclass(frozen=True)
class RollbackSite(CodeAndLab):
    """The pipeline's repository, and a data repo in which the step has had three bests."""

    commits: dict[str, str]

    @property
    def forge(self) -> LocalForge:
        """Where the pull requests are."""
        return LocalForge(self.layout.forge)

    def run(self, *words: str, step: str = STEP) -> int:
        """Run the command in this process."""
        return main(
            [step, *words, "--prompt-lab-dir", str(self.layout.root), "--repo", str(self.code)]
        )

    def said(self, commit: str, surface: str) -> str:
        """Return what a surface says in a commit."""
        module, _, name = surface.partition(":")
        source = git(self.code, "show", f"{commit}:{module.replace('.', '/')}.py")
        return patch.text_in(source.encode(), name)


def commit(code: Path, texts: dict[str, str], message: str) -> str:
    """Commit texts, and return the commit."""
    for name, change in patch.patched(code, texts).items():
        (code / name).write_bytes(change.after)
    git(code, "commit", "--quiet", "-a", "-m", message)
    return git(code, "rev-parse", "HEAD")


def score(name: str, number: int, sha: str, verdict: str = "YES") -> Score:
    """Return a row of the scoreboard; each best is one better than the one before."""
    return Score(
        step=STEP, date=f"2026-05-0{number + 1}", candidate=name, baseline_score=number - 1.0,
        candidate_score=float(number), best_score=None, delta=1.0, interval=(0.5, 1.5),
        verdict=verdict, split="train", models=("llama", "haiku"), cost=0.5, commit=sha,
        iteration=f"{number}_{STEP}",
    )  # fmt: skip


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> RollbackSite:
    """Return a ground whose `main` has been given all three bests, one after the other."""
    context = RollbackSite(tmp_path_factory.mktemp("rollback"), {})
    package = Path(worker_plan.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, context.code / "worker_plan", ignore=ignored)
    git(context.home, "init", "--quiet", "--initial-branch=main", str(context.code))
    git(context.code, "add", ".")
    git(context.code, "commit", "--quiet", "-m", "The pipeline")
    context.commits["baseline"] = git(context.code, "rev-parse", "HEAD")
    init(context.layout.root)
    scores = Scores(context.layout)
    scores.add(replace(score("baseline", 0, context.commits["baseline"]), verdict="BASELINE"), {})
    for number, (name, texts) in enumerate(TEXTS.items(), start=1):
        context.commits[name] = commit(context.code, texts, name)
        scores.add(
            score(name, number, context.commits[name]),
            {"texts": texts, "reasons": [f"{name} was *better*"], "pull_request": f"pulls/{name}"},
        )
    scores.add(score("refused", 4, context.commits["third"], "NO"), {"texts": {PROMPT: "No."}})
    scores.set_best(
        Best(
            step=STEP, candidate="third", score=3.0, commit=context.commits["third"],
            pull_request="pulls/third", iteration=f"3_{STEP}", texts=TEXTS["third"],
            simulated=False,
        )
    )  # fmt: skip
    # A later change of something else: it must stay.
    commit(context.code, {SURFACE: WEAK}, "Another step")
    return context


@pytest.fixture
def context(
    template: RollbackSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RollbackSite:
    """Return a copy of the ground."""
    monkeypatch.delenv("PROMPT_LAB_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for part in (template.code, template.layout.root):
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    return RollbackSite(tmp_path, template.commits)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the step's texts without loading the pipeline, which takes a second each time."""

    async def pipeline(_: object, code: Path) -> Pipeline:
        source = (code / "worker_plan" / "steps" / f"{STEP}.py").read_bytes()
        surfaces = {
            s: Surface(id=s, kind="constant", text=patch.text_in(source, s.partition(":")[2]))
            for s in (PROMPT, FIELD)
        }
        facts = StepFacts(
            name=STEP, task=f"{MODULE}:PlanType", route=(), upstream=(), inputs=(), outputs=(),
            external=False, calls_model=True, surfaces=(PROMPT, FIELD),
        )  # fmt: skip
        return Pipeline(steps={STEP: facts}, surfaces=surfaces)

    monkeypatch.setattr(restoration.Rollback, "_pipeline", pipeline)


def test_goes_back_to_the_best_before(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its texts stand on a branch of their own; nothing is merged or called a success."""
    before = git(context.code, "rev-parse", "main")
    assert context.run("--reason", "The third one says too much @everybody") == 0
    assert "ROLLBACK: second of 2_plan_type, instead of third" in capsys.readouterr().err
    pull = context.forge.pull(1)
    assert (pull.state, pull.base, pull.title) == ("open", "main", "plan_type: go back to second")
    assert context.said(pull.head, FIELD) == TEXTS["first"][FIELD]
    assert context.said(pull.head, PROMPT) == TEXTS["second"][PROMPT]
    assert context.said(pull.head, SURFACE) == WEAK
    assert git(context.code, "rev-parse", "main") == before
    assert git(context.code, "status", "--porcelain") == ""
    status = context.forge.status_of(pull.head)
    assert status is not None
    assert (status.state, status.description[:19]) == (StatusState.failure, "ROLLBACK to second:")
    comment = context.forge.comments(1)["rollback"]
    assert "This commit was not measured" in comment
    assert r"second was \*better\*" in comment
    assert "@everybody" not in pull.body
    row = Scores(context.layout).rows(STEP)[-1]
    assert (row.verdict, row.candidate, row.delta, row.best_score) == (
        "ROLLBACK", "second", -1.0, 2.0,
    )  # fmt: skip
    best = Scores(context.layout).best(STEP)
    assert best is not None
    assert (best.candidate, best.iteration, best.commit) == ("second", f"2_{STEP}", pull.head)
    assert best.texts.items() >= {**TEXTS["second"], FIELD: TEXTS["first"][FIELD]}.items()
    assert git(context.layout.root, "status", "--porcelain", "--", "scores", "forge") == ""


@pytest.mark.usefixtures("quick")
def test_killed_rollback_goes_on(context: RollbackSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was stopped, the same command ends with the one pull request and one row."""

    class Killed(BaseException):
        """Nobody tidies up after this."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    places = [
        (LocalForge, "open_pull"), (LocalForge, "comment"), (Scores, "set_best"),
        (restoration.Repository, "commit"),
    ]  # fmt: skip
    for owner, place in places:
        with monkeypatch.context() as patched:
            patched.setattr(owner, place, killed)
            with pytest.raises(Killed):
                context.run()
    for _ in range(2):
        assert context.run() == 0
    best = Scores(context.layout).best(STEP)
    assert best is not None
    assert best.candidate == "second"
    assert [p.name for p in (context.layout.forge / "pulls").glob("000?.md")] == ["0001.md"]
    rows = [row for row in Scores(context.layout).rows(STEP) if row.goes_back]
    assert len(rows) == 1
    assert git(context.layout.root, "status", "--porcelain", "--", "scores", "forge") == ""


@pytest.mark.usefixtures("quick")
def test_after_a_merge_it_goes_one_further(context: RollbackSite) -> None:
    """While the pull request is open it is found, though the base moves; merged, it is the past."""
    context.run()
    commit(context.code, {SURFACE: GOOD}, "Meanwhile")
    assert context.run() == 0
    assert len(list((context.layout.forge / "pulls").glob("000?.md"))) == 1
    first = context.forge.pull(1)
    context.forge.merge(1, head=first.head)
    assert context.run() == 0
    second = context.forge.pull(2)
    assert second.title == "plan_type: go back to first"
    assert context.said(second.head, PROMPT) == TEXTS["first"][PROMPT]


@pytest.mark.usefixtures("quick")
def test_closed_rollback_is_not_opened_again_unasked(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person said no to it; the record can be set right, which changes no code."""
    context.run()
    context.forge.close(1)
    capsys.readouterr()
    assert context.run() == 2
    assert "was closed and not merged" in capsys.readouterr().err
    assert context.run("--to", "third") == 0
    assert "No pull request is needed" in capsys.readouterr().err
    best = Scores(context.layout).best(STEP)
    assert best is not None
    assert best.candidate == "third"
    assert [row.verdict for row in Scores(context.layout).rows(STEP)][-2:] == ["ROLLBACK"] * 2
    assert context.run() == 0  # Not asked for anything else, it does not go further back.
    assert len(Scores(context.layout).rows(STEP)) == 7
    assert context.run("--to", "second") == 0
    assert context.forge.pull(2).state == "open"


@pytest.mark.parametrize("name", ["first", f"1_{STEP}", "1", "COMMIT"])
def test_best_is_named_in_several_ways(context: RollbackSite, name: str) -> None:
    """By candidate, iteration, its number, or the start of its commit."""
    words = context.commits["first"][:10] if name == "COMMIT" else name
    assert bests.read(context.layout, STEP).named(words).score.candidate == "first"


@pytest.mark.usefixtures("quick")
def test_baseline_is_the_first_best(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the iterations began with can be restored, and nothing is before it."""
    assert context.run("--to", "baseline") == 0
    head = context.forge.pull(1).head
    for surface in (PROMPT, FIELD):
        assert context.said(head, surface) == context.said(context.commits["baseline"], surface)
    context.forge.merge(1, head=head)
    capsys.readouterr()
    assert context.run() == 2
    assert "no earlier best" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_dry_run_shows_the_change_and_leaves_nothing(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """No branch, no pull request, no row."""
    rows = Scores(context.layout).rows()
    assert context.run("--dry-run") == 0
    assert "+    explanation: str" in capsys.readouterr().err
    assert Scores(context.layout).rows() == rows
    assert not list((context.layout.forge / "pulls").glob("*.md"))
    assert "rollback" not in git(context.code, "branch", "--list")


def test_list_marks_the_current_best(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """All bests in their order; what was refused is none."""
    assert context.run("--list") == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("*") for line in lines] == [False, False, False, True]
    assert "refused" not in "".join(lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "nobody"), "has had no best called nobody"),
        (("--to", "refused"), "ended with NO: it never was a best"),
        (("--base", "nowhere"), "has a branch nowhere"),
    ],
)
def test_wrong_usage_ends_with_2(
    context: RollbackSite, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """The message lists what exists."""
    assert context.run(*words) == 2
    assert said in capsys.readouterr().err


def test_unknown_step_ends_with_2(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the steps that have scores."""
    assert context.run(step="plan_typ") == 2
    assert "There are scores of: plan_type." in capsys.readouterr().err


def test_vanished_commit_is_said(context: RollbackSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the repository nor the forge has it; no pull request is opened on half the texts."""
    gone = replace(score("gone", 5, "0" * 39 + "1"), verdict="YES")
    Scores(context.layout).add(gone, {"texts": {PROMPT: "Gone."}})
    assert context.run("--to", "gone") == 2
    assert "The commit 000000000000 of gone of 5_plan_type is gone" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_commit_that_holds_another_text_is_refused(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would be restored must be what was judged."""
    moved = score("moved", 5, context.commits["first"])
    Scores(context.layout).add(moved, {"texts": {PROMPT: "Never committed."}})
    assert context.run("--to", "moved") == 2
    assert "does not hold the text" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_simulated_best_is_no_default_for_a_real_one(context: RollbackSite) -> None:
    """Named, it is restored and labelled; it is never evidence."""
    row = score("sim", 5, context.commits["first"], "SIMULATED YES")
    Scores(context.layout).add(row, {"texts": TEXTS["first"]})
    real = score("real", 6, context.commits["third"])
    Scores(context.layout).add(real, {"texts": TEXTS["third"]})
    best = Scores(context.layout).best(STEP)
    assert best is not None
    Scores(context.layout).set_best(replace(best, candidate="real", iteration=f"6_{STEP}"))
    assert bests.read(context.layout, STEP).before_current().score.candidate == "third"
    assert context.run("--to", "sim") == 0
    assert "simulated" in context.forge.pull(1).labels
    assert "## SIMULATED ROLLBACK" in context.forge.comments(1)["rollback"]
    assert Scores(context.layout).rows(STEP)[-1].verdict == "SIMULATED ROLLBACK"


@pytest.mark.usefixtures("quick")
def test_pull_request_that_was_pushed_to_is_left_alone(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """What somebody else put on the branch is not what was recorded."""
    context.run()
    pull = context.forge.pull(1)
    git(context.code, "checkout", "--quiet", "--detach", pull.head)
    head = commit(context.code, {PROMPT: "Something else entirely."}, "Mine")
    git(context.code, "checkout", "--quiet", "main")
    context.forge.push(context.code, pull.branch, head)
    capsys.readouterr()
    assert context.run() == 2
    assert "moved to" in capsys.readouterr().err


def test_two_rollbacks_do_not_collide(
    context: RollbackSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second says so."""
    with claim(context.layout, f"rollback-{STEP}"):
        assert context.run() == 2
    assert "Another process" in capsys.readouterr().err
