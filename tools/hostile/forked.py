"""A command in a forked child: it has the modules of this process, so it starts at once."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE …` to its end, in a session of its own, without a standard input."""
    python, flag, module, *more = words
    if (python, flag) != (sys.executable, "-m"):
        raise ValueError(f"{words} does not run a Python module")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setsid()
                status = _called(module, more, cwd, environment, (out.fileno(), err.fileno()))
            except BaseException:  # noqa: BLE001 - a child must not go on as its parent
                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(status)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess(words, code, texts[0], texts[1])


def _called(
    module: str, more: Sequence[str], cwd: Path, environment: Mapping[str, str],
    outputs: tuple[int, int],
) -> int:  # fmt: skip
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - as descriptor 0
        os.dup2(nothing.fileno(), 0)
    for number, descriptor in enumerate(outputs, start=1):
        os.dup2(descriptor, number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor, open to the end
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    sys.argv = [module, *more]
    # That this process has imported the module is what is wanted.
    warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
