"""The `[serve]` part of an entry: how the model's server is started, and when it is ended."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from model_gateway.errors import ConfigError
from model_gateway.foreign_files import expanded
from model_gateway.keys import holds_password, is_secret_name
from model_gateway.serving.plan import ServingPlan

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_PLACEHOLDERS = ("port", "model", "threads", "python")
_IN_PACKAGE = "package:"
_PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_PASSED_ON_GROUPS = re.compile(
    r"^(?:LC|XDG|CUDA|NVIDIA|HIP|ROCR|HSA|GGML|OMP|HF|OLLAMA|VLLM)_[A-Z0-9_]+$"
)

Word = Annotated[str, StringConstraints(min_length=1)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Serve(BaseModel):
    """How a server is started, in words and never by a shell.

    `{port}`, `{model}`, `{threads}` and `{python}` in `command` and in the values of `variables`
    are replaced. `model` is the path of the weights; `package:NAME/FILE` is a file of an installed
    package. `needs` names packages without which the command cannot work, and `install` is what to
    type to get them. Port 0 is any free one; with `adopt`, a server that answers already at a fixed
    port is used as it is. It is ready when `ready` answers, and ended after `idle_seconds` without
    a call, or when it takes more than `memory_mb`. Without `threads` it gets all cores but one.
    `environment` names variables that it may see beside the harmless ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    command: tuple[Word, ...] = Field(min_length=1)
    model: str | None = None
    needs: tuple[str, ...] = ()
    install: str | None = None
    port: int = Field(default=0, ge=0, lt=65536)
    adopt: bool = False
    ready: str = Field(default="/v1/models", pattern=r"^/[!-~]*$")
    ready_seconds: float = Field(default=180, gt=0)
    threads: int = Field(default=0, ge=0)
    memory_mb: int | None = Field(default=None, gt=0)
    idle_seconds: float = Field(default=300, gt=0)
    environment: tuple[Variable, ...] = ()
    variables: dict[Variable, str] = Field(default_factory=dict)

    @field_validator("command")
    @classmethod
    def _known_placeholders(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            for name in _PLACEHOLDER.findall(word):
                if name not in _PLACEHOLDERS:
                    names = ", ".join(f"{{{one}}}" for one in _PLACEHOLDERS)
                    raise ValueError(f"{{{name}}} is not one of {names}")
        return words

    def missing(self) -> str | None:
        """Return what is not installed, and how to get it, or None."""
        hint = f": {self.install}" if self.install else ""
        for name in self.needs:
            if importlib.util.find_spec(name) is None:
                return f"the package {name} is not installed{hint}"
        program = self._filled(self.command[0])
        if shutil.which(program) is None:
            return f"the program {program} is not installed{hint}"
        try:
            for word in self.command:
                self._filled(word)
        except ConfigError as error:
            return str(error)
        return None

    def plan(self, name: str, environment: Mapping[str, str] | None = None) -> ServingPlan:
        """Return what the keeper of the server of the entry called `name` has to know.

        Raises:
            ConfigError: something that the command names is not there; the message says what.
        """
        missing = self.missing()
        if missing is not None:
            raise ConfigError(f"{name}: {missing}")
        return ServingPlan(
            name=name,
            words=[self._filled(word) for word in self.command],
            environment=self._child_environment(os.environ if environment is None else environment),
            port=self.port,
            adopt=self.adopt,
            ready=self.ready,
            ready_seconds=self.ready_seconds,
            memory_mb=self.memory_mb,
            idle_seconds=self.idle_seconds,
        )

    def _child_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return what of `environment` the server sees: no keys but those the entry names."""
        passed = {
            name: value
            for name, value in environment.items()
            if name in self.environment
            or (
                (name in _PASSED_ON or _PASSED_ON_GROUPS.match(name))
                and not is_secret_name(name)
                and not holds_password(value)
            )
        }
        return passed | {name: self._filled(value) for name, value in self.variables.items()}

    def _filled(self, text: str) -> str:
        values: dict[str, Callable[[], str]] = {
            "model": self._weights,
            "threads": lambda: str(self.threads or max(1, usable_cores() - 1)),
            "python": lambda: sys.executable,
        }
        return _PLACEHOLDER.sub(
            lambda match: values[match[1]]() if match[1] in values else match[0], text
        )

    def _weights(self) -> str:
        if self.model is None:
            raise ConfigError("[serve] has {model} in its command, and no model: add its path")
        path = next(self._paths(self.model), None)
        if path is None or not path.is_file():
            hint = f": {self.install}" if self.install else ""
            raise ConfigError(f"[serve] model: there is no file {path or self.model}{hint}")
        return str(path)

    @staticmethod
    def _paths(model: str) -> Iterator[Path]:
        if not model.startswith(_IN_PACKAGE):
            yield expanded(model).absolute()
            return
        package, _, file = model.removeprefix(_IN_PACKAGE).partition("/")
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            yield Path(folder) / file


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
