"""What a confined process can still do, tried in processes that are confined."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from self_improve.errors import UsageError
from self_improve.host.contract import own_code
from self_improve.sandbox import choice, confinement, launch, namespaces, seccomp
from self_improve.sandbox.bounds import Bounds, bounds_of
from self_improve.sandbox.choice import Sandboxing
from self_improve.sandbox.machine import MACHINES

needs_kernel = pytest.mark.skipif(
    confinement.lacking() is not None, reason="the kernel cannot confine a process"
)
Try = Callable[[str], str]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Return the only folder in which the process may write."""
    folder = tmp_path / "room"
    folder.mkdir()
    return folder


@pytest.fixture
def confined(tmp_path: Path, room: Path) -> Try:
    """Return what runs Python in the sandbox and gives what it printed, or the error's name."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "module.py").write_text("A = 1\n")
    (code / ".env").write_text("KEY=secret-of-the-tree\n")
    (tmp_path / "private.txt").write_text("secret-of-the-user")
    limits = bounds_of(code, own_tree=own_code(), write=(room,))

    def run(source: str) -> str:
        program = (
            "import os, socket, sys\nfrom pathlib import Path\n"
            f"code, room, outside = (Path(p) for p in {[str(code), str(room), str(tmp_path)]!r})\n"
            f"try:\n    print({source})\n"
            "except OSError as error:\n    print(type(error).__name__)\n"
        )
        words = launch.words(limits, [sys.executable, "-c", program])
        done = subprocess.run(
            words, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "KEY": "secret-of-the-command"},
        )  # fmt: skip
        return done.stdout.strip() or done.stderr

    return run


@needs_kernel
@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("(code / 'module.py').read_text().strip()", "A = 1"),
        ("(room / 'x').write_text('abc')", "3"),
        ("(room / 'x').write_text('a'); os.rename(room / 'x', room / 'y')", "1"),
        ("len(os.urandom(4))", "4"),
        ("socket.socketpair()[0].family.name", "AF_UNIX"),
        ("__import__('subprocess').run(['true']).returncode", "0"),
        ("os.chmod(room, 0o700)", "None"),
        ("len(__import__('shutil').copy2(sys.executable, room / 'python').name) > 0", "True"),
    ],
)
def test_what_code_needs_still_works(confined: Try, source: str, printed: str) -> None:
    """A sandbox in which nothing runs would keep nobody's code."""
    first, _, second = source.partition("; ")
    assert confined(f"[{first}, {second}][0]" if second else source) == printed


@needs_kernel
@pytest.mark.parametrize(
    "source",
    [
        "(outside / 'private.txt').read_text()",
        "(code / '.env').read_text()",
        "os.listdir(outside)",
        "(outside / 'new').write_text('a')",
        "(code / 'module.py').write_text('a')",
        "os.rename(code / 'module.py', room / 'module.py')",
        "os.link(outside / 'private.txt', room / 'linked')",
        "socket.socket(socket.AF_UNIX)",
        "socket.create_connection(('192.0.2.1', 80), 3)",
        "open('/etc/shadow').read()",
        "os.mkdir('/dev/shm/plumbline')",
        "os.setxattr(room, 'user.a', b'1')",
        "Path('/proc/self/root', *outside.parts[1:], 'private.txt').read_text()",
    ],
)
def test_what_nobody_needs_is_refused(confined: Try, source: str) -> None:
    """Reading keys, writing elsewhere, and every network fail with an error."""
    assert confined(source).endswith("Error")


@needs_kernel
def test_modes_and_times_of_others_files_stay(confined: Try, tmp_path: Path) -> None:
    """Landlock does not limit these calls: they succeed without doing anything."""
    path = tmp_path / "private.txt"
    before = path.stat()
    confined("os.chmod(outside / 'private.txt', 0o777)")
    confined("os.utime(outside / 'private.txt', (1, 1))")
    after = path.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@needs_kernel
def test_a_refused_sandbox_runs_nothing(tmp_path: Path) -> None:
    """Without it the command is not started."""
    words = launch.words(Bounds(read=()), ["touch", str(tmp_path / "ran")])
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == launch.REFUSED
    assert not (tmp_path / "ran").exists()


def test_bounds_survive_the_way_to_another_process() -> None:
    """What is sent as JSON is what arrives."""
    bounds = Bounds(read=(Path("/a"),), write=(Path("/b"),), listed=(Path("/c"),), ports=(1,))
    assert Bounds.from_row(json.loads(json.dumps(bounds.to_row()))) == bounds


def test_a_narrower_layer_leaves_out_the_rest_of_the_room() -> None:
    """A cell has its own plan, and nothing of another cell's."""
    bounds = Bounds(
        read=(Path("/usr"), Path("/work/code")), write=(Path("/dev/null"), Path("/work/r"))
    )
    narrow = bounds.narrowed((Path("/work/r/1"),), room=Path("/work/r"))
    assert narrow.write == (Path("/dev/null"), Path("/work/r/1"))
    assert narrow.read == (Path("/usr"), Path("/work/code"))


def test_the_folder_a_command_was_started_in_is_not_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m` puts it on the path, and it may be anybody's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "private.txt").touch()
    code = tmp_path.parent / f"{tmp_path.name}-code"
    code.mkdir()
    read = bounds_of(code, own_tree=own_code()).read
    assert not [path for path in read if tmp_path == path or tmp_path in path.parents]


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("sockets", seccomp.Sockets)
def test_the_filter_fits_into_the_kernel(name: str, sockets: seccomp.Sockets) -> None:
    """Programs have at most 4,096 instructions, and jumps of at most 255."""
    code = seccomp.program(MACHINES[name], sockets)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096


@pytest.fixture
def strange_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processor be one whose system calls are unknown."""
    monkeypatch.setattr(platform, "machine", lambda: "vax")


@pytest.mark.usefixtures("strange_machine")
def test_where_nothing_confines_code_of_others_is_refused(tmp_path: Path) -> None:
    """The message names the reason and the flag; the user's own checkout is run all the same."""
    with pytest.raises(UsageError, match="--unsafe-no-sandbox"):
        choice.confines(Sandboxing.auto, code=tmp_path, own_tree=own_code())
    assert not choice.confines(Sandboxing.auto, code=own_code(), own_tree=own_code())
    assert not choice.confines(Sandboxing.never, code=tmp_path, own_tree=own_code())


@needs_kernel
def test_all_code_but_the_users_own_is_confined(tmp_path: Path) -> None:
    """The own checkout is confined on request."""
    assert choice.confines(Sandboxing.auto, code=tmp_path, own_tree=own_code())
    assert choice.confines(Sandboxing.always, code=own_code(), own_tree=own_code())


def test_records_name_the_sandbox_that_is_missing(tmp_path: Path) -> None:
    """Only the user's own checkout may run without one and say nothing."""
    assert choice.recorded(None, code=tmp_path, own_tree=own_code()) == choice.UNSAFE
    assert choice.recorded(None, code=own_code(), own_tree=own_code()) is None
    assert choice.recorded("landlock 7", code=tmp_path, own_tree=own_code()) == "landlock 7"


def test_the_environment_sets_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over it, and a wrong word is an error."""
    monkeypatch.setenv(choice.VARIABLE, "never")
    assert choice.wished(None) is Sandboxing.never
    assert choice.wished("always") is Sandboxing.always
    monkeypatch.setenv(choice.VARIABLE, "perhaps")
    with pytest.raises(UsageError, match="perhaps"):
        choice.wished(None)


OLDER = """
import os, sys
from pathlib import Path
from self_improve.sandbox import confinement, landlock, namespaces
from self_improve.sandbox.bounds import bounds_of
landlock.version = lambda: int(sys.argv[1])
private, room = Path(sys.argv[2]), Path(sys.argv[3])
machine = confinement.known_machine()
apart = namespaces.separate(machine) if sys.argv[4] == "apart" else ()
print(confinement.confine(bounds_of(room, own_tree=room, write=(room,)), apart))
for attempt in (private.read_text, lambda: private.write_text("x"), lambda: os.truncate(private, 0),
                lambda: os.link(private, room / "l"), lambda: os.kill(int(sys.argv[5]), 0)):
    try: print("REACHED", attempt())
    except OSError: pass
(room / "mine").write_text("x")
"""


def _older(version: int, room: Path, private: Path, *, apart: str) -> str:
    """Confine a process as a kernel with an older Landlock would, and return what it printed."""
    private.write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", OLDER, str(version), str(private), str(room), apart,
         str(os.getpid())],
        capture_output=True, text=True, check=False, cwd=own_code(),
    )  # fmt: skip
    return done.stdout + done.stderr


@needs_kernel
@pytest.mark.skipif(not namespaces.are_allowed(), reason="the kernel allows no namespaces")
@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_an_older_landlock_is_enough_with_namespaces(
    version: int, room: Path, tmp_path: Path
) -> None:
    """What it does not limit, signals and cutting files off, the rest of the sandbox does."""
    private = tmp_path / "private.txt"
    printed = _older(version, room, private, apart="apart")
    assert printed.startswith(f"landlock {version}, seccomp, own network, own processes")
    assert "REACHED" not in printed
    assert private.read_text() == "secret"
    assert (room / "mine").read_text() == "x"


@needs_kernel
def test_an_older_landlock_is_not_enough_by_itself(room: Path, tmp_path: Path) -> None:
    """The process must not go on."""
    assert "SandboxError" in _older(5, room, tmp_path / "private.txt", apart="")
    assert not (room / "mine").exists()
