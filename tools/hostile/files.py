"""Damages files of every kind by a seeded draw, and checks how what reads them ends.

A damaged file may be taken, or refused with exit code 2 and a message that names it. A traceback,
another exit code, a message without the file, a control character in what is printed, and more
time or memory than the limits are violations.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from model_gateway import temporary
from tools.hostile import readers
from tools.hostile.mutations import damaged, put_other_kind
from tools.hostile.readers import KINDS, Kind
from tools.hostile.row import Row

_MEMORY = 1_500_000_000
_CPU_SECONDS, _SECONDS = 20, 240
_BATCH = 40
_OTHER_KIND, _SUBPROCESS = 0.08, 0.005


class _TooLong(BaseException):
    """A reader took longer than the limit of processor time, or waited."""


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Damage `size` files, spread over the kinds, and yield a row for each kind."""
    kinds = [kind for kind in KINDS if re.search(only, kind.name)]
    with temporary.opened("hostile") as folder:
        template = Path(folder) / "template"
        readers.build(template)
        for index, kind in enumerate(kinds):
            share = size // len(kinds) + (index < size % len(kinds))
            yield _of_kind(kind, share, seed, template, Path(folder))


def _of_kind(kind: Kind, runs: int, seed: int, template: Path, folder: Path) -> Row:
    total, violations = 0, []
    code, text, trouble = _in_child(lambda: [_ended(kind, template)])[0]
    if code not in kind.codes or trouble is not None:
        raise AssertionError(f"{kind.name} cannot be read undamaged: {text}{trouble}")
    root = folder / "work"
    for first in range(0, runs, _BATCH):
        numbers = range(first, min(first + _BATCH, runs))
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root, symlinks=True)
        ended = _in_child(partial(_cases, kind, numbers, seed, root))
        for number, (_, _, trouble) in zip(numbers, ended, strict=False):
            total += 1
            if trouble is not None:
                violations.append(f"{kind.name} {seed}.{number}: {trouble}")
    return Row(kind=kind.name, runs=total, violations=tuple(violations))


Ended = tuple[int, str, str | None]
"""How a reader ended: its exit code, what it printed, and the violation, if it was one."""


def _cases(kind: Kind, numbers: Sequence[int], seed: int, root: Path) -> Iterator[Ended]:
    for number in numbers:
        draw = random.Random(f"{kind.name} {seed}.{number}")
        path = root / draw.choice(kind.files)
        sound = path.read_bytes()
        if draw.random() < _OTHER_KIND:
            how = put_other_kind(path, draw)
        else:
            how = "damaged"
            path.write_bytes(damaged(sound, path.name, draw))
        apart = draw.random() < _SUBPROCESS
        code, text, trouble = _ended_apart(kind, root) if apart else _ended(kind, root)
        trouble = trouble or _judged(kind, code, text, path, root)
        yield code, text, trouble and f"{path.relative_to(root)} ({how}): {trouble}"
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        path.write_bytes(sound)


def _judged(kind: Kind, code: int, text: str, path: Path, root: Path) -> str | None:
    """Return what is wrong with an exit code and a message, or None."""
    if code not in {*kind.codes, 2}:
        return f"exit code {code}: {text[-200:]!r}"
    names = (path.name, path.parent.name, str(path.relative_to(root)))
    # That two sides differ is not the fault of a file.
    named = any(name in text for name in (*names, "cannot be compared"))
    if code == 2 and not named:
        return f"the message names no file: {text[-300:]!r}"
    if any(not (char.isprintable() or char in "\n\t") for char in text):
        return f"a control character is printed: {text[-200:]!r}"
    return None


def _ended(kind: Kind, root: Path) -> Ended:
    """Call the reader here, within the limits of time."""
    printed = io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = kind.read(root)
    except _TooLong:
        return -1, "", "it took too long"
    except SystemExit as ended:
        return int(str(ended.code or 0)), printed.getvalue(), None
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = f"{Path(last.filename).name}:{last.lineno}"
        return -1, "", f"{type(error).__name__} at {line}: {str(error)[:160]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return code, printed.getvalue(), None


def _ended_apart(kind: Kind, root: Path) -> Ended:
    """Call the reader in a process of its own, as a user does."""
    code = (
        "import sys; from pathlib import Path; from tools.hostile.readers import KINDS\n"
        f"sys.exit(next(k for k in KINDS if k.name == {kind.name!r}).read(Path({str(root)!r})))"
    )
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            command, cwd=readers.ROOT, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, "", "it took too long"
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.returncode, text, "a traceback" if "Traceback" in text else None


def _in_child(cases: Callable[[], Iterator[Ended] | list[Ended]]) -> list[Ended]:
    """Return what `cases` yields in a child that may use so much memory and no more."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            _limit()
            with os.fdopen(writing, "w", encoding="ascii") as out:
                for one in cases():
                    out.write(json.dumps(one) + "\n")
                    out.flush()
            status = 0
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as lines:
        ended: list[Ended] = [(code, text, why) for code, text, why in map(json.loads, lines)]
    status = os.waitpid(child, 0)[1]
    if status:
        ended.append((-1, "", f"the process died (status {status})"))
    return ended


def _limit() -> None:
    def stop(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGPROF, stop)
    signal.signal(signal.SIGALRM, stop)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = used * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
