"""Which models can be called: when each last answered, and which get no further call."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from pathlib import Path

from platformdirs import user_cache_path

from model_gateway.attempt import digest_of
from model_gateway.call import Failure
from model_gateway.config import Model

LATELY_SECONDS = 3600.0
_REFRESH_SECONDS = 60.0


def default_folder() -> Path:
    """Return where this user's commands note which models answered."""
    return user_cache_path("plumbline") / "answered"


def of_user() -> Availability:
    """Return one that knows what this user's other commands have seen within the last hour."""
    return Availability(default_folder())


class Availability:
    """What the calls of a gateway have shown of its models.

    With a `folder`, the time of a model's last answer is the time of a file there, so that later
    commands know it. A model is closed for as long as what
    stopped it will not pass.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._closed: dict[str, tuple[Failure, float]] = {}
        self._heard: Counter[str] = Counter()
        self._noted: dict[str, float] = {}

    def closed(self, model: Model) -> Failure | None:
        """Return why `model` gets no further call, or None."""
        failure, until = self._closed.get(model.name, (None, 0.0))
        return failure if time.monotonic() < until else None

    def close(self, model: Model, failure: Failure, seconds: float = math.inf) -> None:
        """Send no call to `model` for some time, or any more; the first reason stays."""
        if self.closed(model) is None:
            self._closed[model.name] = failure, time.monotonic() + seconds

    def heard(self, model: Model) -> int:
        """Return how often the server of `model` has answered anything, an error included."""
        return self._heard[model.name]

    def hear(self, model: Model) -> None:
        """Note that the server of `model` has answered something."""
        self._heard[model.name] += 1

    def replied(self, model: Model) -> None:
        """Note that `model` has given a reply."""
        now = time.time()
        if self._folder is None or now - self._noted.get(model.name, 0.0) < _REFRESH_SECONDS:
            return
        self._noted[model.name] = now
        # A home that cannot be written costs only the memory of it.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / _file_name(model)).touch()

    def replied_lately(self, model: Model) -> bool:
        """Whether `model` has given a reply within the last hour, to this command or another."""
        if self._folder is None:
            return False
        try:
            age = time.time() - (self._folder / _file_name(model)).stat().st_mtime
        except OSError:
            return False
        return 0 <= age < LATELY_SECONDS


def _file_name(model: Model) -> str:
    return digest_of(model.provider, model.class_path, model.server, model.model_id)[:32]
