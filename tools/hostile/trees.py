"""Code trees whose files and settings would run something by themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.hostile.targets import Targets

SNIPPET = "got('nothing')"
Write = Callable[[Path, Targets], None]


def _program(code: Path, targets: Targets) -> Path:
    """Write a program that shows that it was run."""
    program = code / "run.sh"
    sink = targets.sinks["tcp4"].getsockname()[1]
    program.write_text(
        f"#!/bin/bash\ntouch {targets.home}/ran\necho x > /dev/tcp/127.0.0.1/{sink}\ncat\n"
    )
    program.chmod(0o755)
    return program


def _repository(code: Path) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(
            ["git", "-C", str(code), "-c", "user.name=n", "-c", "user.email=e@x", *words],
            check=True, capture_output=True,
        )  # fmt: skip


def _configured(*settings: str, attributes: str = "") -> Write:
    def write(code: Path, targets: Targets) -> None:
        program = _program(code, targets)
        if attributes:
            (code / ".gitattributes").write_text(attributes)
        _repository(code)
        for setting in settings:
            key, _, value = setting.partition("=")
            subprocess.run(
                ["git", "-C", str(code), "config", key, value.replace("RUN", str(program))],
                check=True,
            )
        # Files whose times differ from git's index are read again, through the filters.
        for path in code.rglob("*.py"):
            path.touch()

    return write


def _included(code: Path, targets: Targets) -> None:
    program = _program(code, targets)
    _repository(code)
    (code / ".git" / "more").write_text(
        f"[core]\n\tfsmonitor = {program}\n"
        f'[filter "evil"]\n\tclean = {program}\n\trequired = true\n'
    )
    with (code / ".git" / "config").open("a") as file:
        file.write("[include]\n\tpath = more\n")
    (code / ".gitattributes").write_text("* filter=evil\n")


def _hooks(code: Path, targets: Targets) -> None:
    program = _program(code, targets)
    _repository(code)
    for name in ("post-index-change", "reference-transaction", "fsmonitor-watchman", "pre-commit"):
        (code / ".git" / "hooks" / name).write_text(program.read_text())
        (code / ".git" / "hooks" / name).chmod(0o755)


def _elsewhere(code: Path, targets: Targets) -> None:
    """A `.git` file that names a repository whose settings start programs."""
    _configured("core.fsmonitor=RUN")(code, targets)
    (code / ".git").rename(code / "stored")
    (code / ".git").write_text(f"gitdir: {code / 'stored'}\n")


def _linked(code: Path, targets: Targets) -> None:
    _configured("core.fsmonitor=RUN")(code, targets)
    (code / ".git").rename(code / "stored")
    (code / ".git").symlink_to("stored")


def _submodule(code: Path, targets: Targets) -> None:
    program = _program(code, targets)
    inner = code / "inner"
    inner.mkdir()
    (inner / "a.py").write_text("")
    _repository(inner)
    _repository(code)
    subprocess.run(["git", "-C", str(inner), "config", "core.fsmonitor", str(program)], check=True)


def _file(name: str, text: str) -> Write:
    def write(code: Path, targets: Targets) -> None:
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        program = _program(code, targets)
        path.write_text(text.replace("RUN", str(program)))

    return write


_RUN = "import os; os.system('RUN')\n"
TREES: Mapping[str, Write] = {
    "core.fsmonitor": _configured("core.fsmonitor=RUN"),
    "core.hooksPath": _configured("core.hooksPath=.git/../"),
    "filter.clean": _configured("filter.evil.clean=RUN", attributes="* filter=evil\n"),
    "filter.process": _configured(
        "filter.evil.process=RUN", "filter.evil.required=true", attributes="* filter=evil\n"
    ),
    "diff.external": _configured("diff.external=RUN", "core.pager=RUN", "pager.status=RUN"),
    "textconv": _configured("diff.evil.textconv=RUN", attributes="* diff=evil\n"),
    "ssh, credentials": _configured("core.sshCommand=RUN", "credential.helper=RUN"),
    "promisor": _configured(
        "remote.origin.url=ext::RUN", "remote.origin.promisor=true", "protocol.ext.allow=always",
        "extensions.partialClone=origin",
    ),
    "aliases": _configured("alias.status=!RUN", "alias.rev-parse=!RUN", "alias.config=!RUN"),
    "include": _included,
    "hooks": _hooks,
    ".git file": _elsewhere,
    ".git link": _linked,
    "submodule": _submodule,
    "sitecustomize": _file("sitecustomize.py", _RUN),
    "usercustomize": _file("usercustomize.py", _RUN),
    ".pth": _file("evil.pth", _RUN),
    "luigi": _file("luigi/__init__.py", _RUN),
    "json": _file("json.py", _RUN),
    "ctypes": _file("ctypes/__init__.py", _RUN),
    "self_improve": _file("self_improve/__init__.py", _RUN),
    "model_gateway": _file("model_gateway/__init__.py", _RUN),
    "conftest": _file("conftest.py", _RUN),
    "luigi.cfg": _file("luigi.cfg", "[core]\nlogging_conf_file=RUN\nscheduler_url=http://x/\n"),
    "pyvenv.cfg": _file("pyvenv.cfg", "home = /nowhere\n"),
}  # fmt: skip
