"""Refuses texts and files that hold a key, before anything is committed or posted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model_gateway.keys import Redactor
from prompt_lab.errors import LabError

_MOST_NAMED = 5


class LeakError(LabError):
    """A text or file holds a key; the message names it and the variable, never the key."""


def require_no_keys(redactor: Redactor, texts: Mapping[str, str | bytes], consequence: str) -> None:
    """Check texts by their names, names included.

    Raises:
        LeakError: one holds a key; it begins with the `consequence`, such as "Nothing was posted".
    """
    problems = [fault for name, text in texts.items() for fault in faults(redactor, name, text)]
    if problems:
        raise LeakError(
            f"{consequence}, because of a key:\n  " + "\n  ".join(problems) + "\nTake it out (if it "
            "is a real key, replace it with its provider, too) and run the same command again."
        )


def faults(redactor: Redactor, name: str, text: str | bytes) -> Iterator[str]:
    """Yield what is wrong with a text: where in it which key stands, without the key."""
    shown = redactor(name)
    for finding in redactor.check(name)[:1]:
        yield f"{shown}: its name holds {redactor(finding.name)}"
    findings = redactor.check(text)
    for finding in findings[:_MOST_NAMED]:
        place = f"line {finding.line}: " if "\n" in _start(text) else ""
        yield f"{shown}: {place}it holds {redactor(finding.name)} ({finding.form})"
    if len(findings) > _MOST_NAMED:
        yield f"{shown}: {len(findings) - _MOST_NAMED} more"


def _start(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")
