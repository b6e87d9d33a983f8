"""A step in production, from its first rollout to a rollback and a search."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from prompt_lab.leaks import LeakError
from self_improve.errors import ImproveError, UsageError
from self_improve.rollout.health import Finding
from self_improve.rollout.log import Log, steps
from self_improve.rollout.production import WAIT, Production
from self_improve.rollout.state import END, PROMOTE, REJECT, ROLLBACK, SCORES, VOTES, WIDEN
from self_improve.rollout.version import Version
from tests.self_improve.rollout.street import NEW, OLD, STEP, Street, shown_plan

OTHER = Version(texts={"a:B": "third"}, commit="abcdef2")


@pytest.fixture
def street(tmp_path: Path) -> Street:
    """Return a step whose stages end with 12 plans, at weights that tests fill soon."""
    return Street(tmp_path, marks=12, stages=[30, 50, 70, 100])


def promoted(street: Street) -> None:
    """Bring the new version into production."""
    street.start()
    assert [street.stage(0.9, 0.6) for _ in range(3)] == [WIDEN, WIDEN, PROMOTE]


def test_better_version_is_promoted_after_all_stages(street: Street) -> None:
    """The weight grows with each stage; at the end every plan gets it."""
    street.start()
    weights = []
    for _ in range(3):
        rollout = street.production.state().rollout
        assert rollout is not None
        weights.append(rollout.weight)
        street.stage(0.9, 0.6)
    state = street.production.state()
    assert weights == [30, 50, 70]
    assert (state.rollout, state.current) == (None, NEW.id)
    assert state.version_for("any") == NEW


def test_plan_keeps_the_new_version_while_the_weight_grows(street: Street) -> None:
    """A plan that had it at 30 % has it at 50 %, 70 % and 100 %."""
    street.start()
    names = [f"plan-{n}" for n in range(400)]

    def having() -> set[str]:
        state = street.production.state()
        return {name for name in names if state.version_for(name) == NEW}

    before = having()
    for _ in range(3):
        street.stage(0.9, 0.6)
        after = having()
        assert before < after
        before = after
    assert before == set(names)


def test_alike_versions_are_not_promoted(street: Street) -> None:
    """Without a gain the last stage ends the rollout, and the old version stays."""
    street.start()
    assert [street.stage(0.7, 0.7) for _ in range(3)] == [WIDEN, WIDEN, END]
    assert street.production.state().version_for("any") == OLD


def test_worse_version_is_rejected_at_the_first_look(street: Street) -> None:
    """It is worse beyond chance, though not below 70 % of the old one."""
    street.start()
    assert street.stage(0.6, 0.7) == REJECT
    assert street.production.state().current == OLD.id


def test_collapse_is_taken_back_before_the_stage_is_over(street: Street) -> None:
    """Ten plans far below 70 % of the old version are enough."""
    street.start()
    street.mark(0.3, 10, new=True)
    street.mark(0.8, 10, new=False)
    move = street.production.advance()
    assert move.action == ROLLBACK
    assert "below 70%" in move.reason
    assert street.production.state().version_for("any") == OLD


def test_stage_waits_for_its_marks(street: Street) -> None:
    """Before, nothing is judged and nothing is written."""
    street.start()
    street.mark(0.9, 11, new=True)
    before = street.production.log.rows()
    move = street.production.advance()
    assert (move.action, move.reason[:8]) == (WAIT, "11 of 12")
    assert street.production.log.rows() == before


def test_time_ends_a_stage(street: Street) -> None:
    """After 7 days it is judged by the marks so far, if that is enough to conclude anything."""
    street.start()
    street.mark(0.9, 10, new=True)
    street.mark(0.6, 10, new=False)
    street.clock.forward(days=6.9)
    assert street.production.advance().action == WAIT
    street.clock.forward(days=0.2)
    assert street.production.advance().action == WIDEN


def test_time_without_marks_ends_the_rollout(street: Street) -> None:
    """Missing evidence widens nothing: the old version stays."""
    street.start()
    street.mark(0.9, 3, new=True)
    street.clock.forward(days=8)
    move = street.production.advance()
    assert move.action == END
    assert "10 on each are needed" in move.reason
    assert street.production.state().current == OLD.id


def test_votes_decide_too(tmp_path: Path) -> None:
    """Thumbs up and down of plans that are shown, by an exact test."""
    street = Street(tmp_path, marks=12, stages=[50, 100])
    street.start(by=VOTES)
    for new, up in ((True, 11), (False, 3)):
        street.mark(1.0, up, new=new, by=VOTES)
        street.mark(0.0, 14 - up, new=new, by=VOTES)
    assert street.production.advance().action == PROMOTE


def test_vote_of_readers_who_were_not_asked_is_refused(tmp_path: Path) -> None:
    """Who comes by himself is not a random choice; nothing is recorded."""
    street = Street(tmp_path)
    street.start(by=VOTES)
    rollout = street.production.state().rollout
    assert rollout is not None
    plan = shown_plan(rollout.salt, shown=False)
    version = street.production.state().version_for(plan)
    assert version is not None
    with pytest.raises(UsageError, match="were not drawn to vote"):
        street.production.mark(plan, 1.0, by=VOTES, version=version.id)
    assert street.production.state().marks == ()


def test_mark_of_a_version_that_the_plan_cannot_have_is_refused(street: Street) -> None:
    """So nobody can vote for the new version with the old one's plans, or the other way."""
    street.start()
    old_plan, new_plan = next(street.plans(new=False)), next(street.plans(new=True))
    for plan, version in ((old_plan, NEW.id), (new_plan, OLD.id)):
        with pytest.raises(UsageError, match="cannot have got"):
            street.production.mark(plan, 0.5, by=SCORES, version=version)
    with pytest.raises(UsageError, match="no version 0123"):
        street.production.mark(old_plan, 0.5, by=SCORES, version="0123")


@pytest.mark.parametrize(
    ("value", "by"),
    [(float("nan"), SCORES), (float("inf"), SCORES), (-0.1, SCORES), (0.5, VOTES), (2.0, VOTES)],
)
def test_what_is_no_value_is_refused(street: Street, value: float, by: str) -> None:
    """A score is a finite number from 0, a vote is up or down."""
    street.start(by=by)
    with pytest.raises(UsageError, match=r"is not a (score|vote)"):
        street.production.mark("p", value, by=by, version=OLD.id)


def test_same_word_of_the_same_voter_is_written_once(street: Street) -> None:
    """A repeated command does no harm; another word is appended, and of the voter only a digest."""
    street.start()
    plan = next(street.plans(new=False))
    say = street.production.mark
    recorded = [say(plan, v, by=SCORES, version=OLD.id, voter="Ada") for v in (0.5, 0.5, 0.7)]
    assert recorded == [True, False, True]
    assert [mark.value for mark in street.production.state().marks] == [0.5, 0.7]
    assert "Ada" not in street.production.log.path.read_text()


def test_one_rollout_at_a_time(street: Street) -> None:
    """Starting the same again changes nothing; another is refused, and so is the current one."""
    street.start()
    rows = street.production.log.rows()
    street.start()
    assert street.production.log.rows() == rows
    with pytest.raises(UsageError, match="is running"):
        street.start(OTHER)
    street.production.rollback(to=None, reason="enough")
    with pytest.raises(UsageError, match="in production already"):
        street.start(OLD)


def test_simulated_evidence_reaches_no_plan_unasked(street: Street) -> None:
    """Only who says so may try it, and all output on it is labelled."""
    new = Version(texts={"a:B": "x"}, commit="abcdef3", simulated=True)
    with pytest.raises(UsageError, match="Only simulated models"):
        street.production.start(new, OLD, by=SCORES)
    assert street.production.start(new, OLD, by=SCORES, simulated=True).simulated


def test_rollback_goes_to_the_version_before(street: Street) -> None:
    """And once more there is nothing newer to take back but by name."""
    promoted(street)
    assert street.production.rollback(to=None, reason="readers complain").current == OLD.id
    assert street.production.rollback(to=NEW.id, reason="it was not that").current == NEW.id
    with pytest.raises(UsageError, match="no version 0123"):
        street.production.rollback(to="0123", reason="x")
    with pytest.raises(UsageError, match="already"):
        street.production.rollback(to=NEW.id, reason="x")


def test_version_that_keeps_its_level_is_fine(street: Street) -> None:
    """Its later plans are held against its first ones."""
    promoted(street)
    street.mark(0.9, 12, new=False)
    assert street.production.watch().row["finding"] == Finding.fine


def test_version_that_fell_below_80_percent_calls_for_a_search_once_a_week(street: Street) -> None:
    """It is called for at once and again after a week, and stays due until it was run."""
    promoted(street)
    street.clock.forward(days=8)
    street.mark(0.68, 20, new=False)
    watched = street.production.watch()
    assert (watched.row["finding"], watched.state.current) == (Finding.search, NEW.id)
    assert watched.search is not None
    street.clock.forward(days=1)
    assert street.production.watch().search is not None
    street.production.record_search("command", 0)
    street.clock.forward(days=5)
    assert street.production.watch().search is None
    assert [row["phase"] for row in street.production.state().searches] == ["called", "ended"]
    street.clock.forward(days=1.1)
    street.mark(0.68, 20, new=False)
    assert street.production.watch().search is not None


def test_version_far_below_an_earlier_one_is_taken_back(street: Street) -> None:
    """The best is not itself, so production gets the best again, and a search is due."""
    promoted(street)
    street.start(OTHER)
    assert [street.stage(0.99, 0.9) for _ in range(3)] == [WIDEN, WIDEN, PROMOTE]
    street.production.rollback(to=NEW.id, reason="to make it current")
    street.clock.forward(days=8)
    street.mark(0.5, 20, new=False)
    watched = street.production.watch()
    assert watched.row["finding"] == Finding.rollback
    assert (watched.row["best"], watched.state.current) == (OTHER.id, OTHER.id)
    assert watched.search is not None


def test_few_marks_conclude_nothing(street: Street) -> None:
    """Nine plans, however bad, are INCONCLUSIVE."""
    promoted(street)
    street.clock.forward(days=8)
    street.mark(0.1, 9, new=False)
    row = street.production.watch().row
    assert (row["finding"], row["plans"]) == (Finding.inconclusive, 9)


def test_check_is_made_once_a_day(street: Street) -> None:
    """In between the last one is reported again, and nothing is written."""
    promoted(street)
    assert street.production.watch().fresh
    street.clock.forward(hours=23)
    rows = street.production.log.rows()
    assert not street.production.watch().fresh
    assert street.production.log.rows() == rows
    assert street.production.watch(at_once=True).fresh
    street.clock.forward(hours=24)
    assert street.production.watch().fresh


def test_nothing_in_production_is_said(street: Street) -> None:
    """Watching and advancing name the command that begins."""
    for deed in (street.production.watch, street.production.advance):
        with pytest.raises(UsageError, match="rollout start"):
            deed()


def test_terms_are_those_of_the_beginning(street: Street) -> None:
    """Settings that are changed while a rollout runs change nothing for it."""
    street.start()
    (street.layout.rollouts / "settings.toml").write_text("marks = 2\nstages = [1, 100]\n")
    again = Production(street.layout, STEP, street.clock)
    rollout = again.state().rollout
    assert rollout is not None
    assert (rollout.settings.marks, rollout.weight) == (12, 30)


def test_torn_last_line_is_passed_over(street: Street) -> None:
    """What a killed process left half written counts for nothing, and the next row is whole."""
    street.start()
    plan = next(street.plans(new=False))
    with street.production.log.path.open("a") as file:
        file.write('{"kind": "mark", "plan": "pl')
    street.production.mark(plan, 0.5, by=SCORES, version=OLD.id)
    assert [mark.plan for mark in street.production.state().marks] == [plan]


def test_row_with_a_key_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is once in the log stays, so it is refused before; keys of models' entries, too."""
    monkeypatch.setenv("MINE_API_KEY", "k-abcdefghijklm0123456789")
    monkeypatch.setenv("PLUMBLINE_LLM_CONFIG", str(tmp_path))
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nprovider = "openai"\nmodel_id = "m"\nbase_url = "http://127.0.0.1:9/v1"\n'
        'options = { api_key = "written-in-the-entry" }\n'
    )
    log = Log(Layout(tmp_path), STEP)
    for key, name in (
        ("k-abcdefghijklm0123456789", "MINE_API_KEY"), ("written-in-the-entry", "api_key"),
    ):  # fmt: skip
        with log.locked(), pytest.raises(LeakError, match=f"the mark: it holds .*{name}"):
            log.append({"kind": "mark", "plan": "p"}, {"kind": "mark", "plan": key})
    assert log.rows() == []


def test_log_only_grows(street: Street) -> None:
    """Every command leaves the bytes that were there."""
    street.start()
    path = street.production.log.path
    before = path.read_bytes()
    for deed in (
        lambda: street.stage(0.9, 0.6),
        street.production.watch,
        lambda: street.production.rollback(to=None, reason="x"),
    ):
        deed()
        after = path.read_bytes()
        assert after.startswith(before)
        assert len(after) > len(before)
        before = after


def test_tampered_log_is_refused(street: Street) -> None:
    """A version whose texts are not those of its digest is named with its row."""
    street.start()
    path = street.production.log.path
    path.write_text(path.read_text().replace("Ziel", "Zoll"))
    with pytest.raises(ImproveError, match="Row 2 of the log"):
        street.production.state()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 3


def test_rows_of_newer_versions_are_passed_over(street: Street) -> None:
    """An unknown kind is nobody's fault."""
    street.start()
    with street.production.log.locked():
        Log(street.layout, STEP, street.clock).append({"kind": "weather", "of": "tomorrow"})
    assert street.production.state().rollout is not None
    assert steps(street.layout) == [STEP]


def _vote(root: str, worker: int) -> None:
    production = Production(Layout(Path(root)), STEP)
    state = production.state()
    for number in range(10):
        plan = f"{worker}-{number}"
        version = state.version_for(plan)
        assert version is not None
        production.mark(plan, 0.5, by=SCORES, version=version.id)


def test_two_processes_lose_no_mark(street: Street) -> None:
    """Both write at once, and every row is whole."""
    street.start()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_vote, args=(str(street.layout.root), n)) for n in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert [one.exitcode for one in workers] == [0, 0]
    assert len({mark.plan for mark in street.production.state().marks}) == 20
