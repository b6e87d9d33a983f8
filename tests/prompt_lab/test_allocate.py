"""Run numbers: each handed out once, to any process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prompt_lab.allocate import allocate
from prompt_lab.layout import Layout
from tests.waiting import LONGEST

TAKE = """
import sys
from pathlib import Path
from prompt_lab.allocate import allocate
from prompt_lab.layout import Layout

layout = Layout(Path(sys.argv[1]))
sys.stdin.readline()
print(*(allocate(layout) for _ in range(25)))
"""


def test_numbers_begin_at_zero_and_go_up(lab: Layout) -> None:
    """Nothing has to be there before."""
    assert [allocate(lab) for _ in range(3)] == [0, 1, 2]


def test_eight_processes_get_distinct_numbers(lab: Layout) -> None:
    """Processes that ask at the same moment share the numbers without a gap or a double."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE, str(lab.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken = [int(n) for p in processes for n in p.communicate(timeout=LONGEST)[0].split()]
    assert sorted(taken) == list(range(200))


@pytest.mark.parametrize("existing", [0, 99, 100, 165])
def test_existing_runs_count_as_taken(lab: Layout, existing: int) -> None:
    """Directories of runs that were made elsewhere have no claim, and are respected."""
    lab.run(existing, "plan_type").mkdir(parents=True)
    lab.run(0, "setup").mkdir(parents=True, exist_ok=True)
    assert allocate(lab) == existing + 1


def test_claim_without_a_run_counts_as_taken(lab: Layout) -> None:
    """A number whose process died is not given again, and one counter holds for all steps."""
    assert allocate(lab) == 0
    lab.run(4, "plan_type").mkdir(parents=True)
    (lab.numbers / "7").touch()
    assert allocate(lab) == 8


def test_other_files_are_no_numbers(lab: Layout) -> None:
    """What else is in history does not matter."""
    lab.numbers.mkdir(parents=True)
    for name in (".gitkeep", "x", "-1"):
        (lab.numbers / name).touch()
    (lab.history / "notes").mkdir()
    (lab.history / "0").mkdir()
    (lab.history / "0" / "readme.md").touch()
    assert allocate(lab) == 0


def test_history_that_cannot_be_written_is_an_error(lab: Layout) -> None:
    """A file in its place is reported, not looped over."""
    Path(lab.history).write_text("x")
    with pytest.raises(OSError, match="history"):
        allocate(lab)
