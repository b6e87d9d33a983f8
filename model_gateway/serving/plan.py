"""What the keeper of a server has to know: all of it plain values, in a file beside its log."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
PORT = "{port}"


@dataclass(frozen=True, kw_only=True)
class ServingPlan:
    """A server to be started. `words` and `environment` still hold the port's placeholder."""

    name: str
    words: list[str]
    environment: dict[str, str]
    port: int
    adopt: bool
    ready: str
    ready_seconds: float
    memory_mb: int | None
    idle_seconds: float

    @property
    def key(self) -> str:
        """What commands that use the same server agree on; entries for one server share it, too."""
        identity = json.dumps([self.words, self.port, self.ready])
        return f"{Path(self.words[0]).name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    def write(self, path: Path) -> None:
        """Store it for the keeper; only the user can read it."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` stored."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
