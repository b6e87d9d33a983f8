"""A host's SDKs are loaded whole before its cells are forked."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """\
import sys, {sdk}
from self_improve.cells import warm_up
before = set(sys.modules)
warm_up.warm_sdks()
import threading
print(len(set(sys.modules) - before), threading.active_count(), {others!r} in sys.modules)
"""


@pytest.mark.parametrize(
    ("sdk", "other", "least"),
    [("openai", "anthropic", 300), ("anthropic", "openai", 0), ("ollama", "openai", 0)],
)
def test_call_loads_what_the_sdk_put_off(sdk: str, other: str, least: int) -> None:
    """It succeeds with the real SDK, starts no thread, and loads no SDK that was not there."""
    code = LOADED.format(sdk=sdk, others=other)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    loaded, threads, other_loaded = done.stdout.split()
    assert int(loaded) > least
    assert (threads, other_loaded) == ("1", "False")
