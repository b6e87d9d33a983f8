"""Refuses texts and files that hold a key, before anything is committed or posted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_gateway.keys import Redactor
from prompt_lab.errors import LabError
from prompt_lab.markup import BREAK

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
            f"{consequence}, because of a key:\n  "
            + "\n  ".join(problems)
            + "\nTake it out (if it "
            "is a real key, replace it with its provider, too) and run the same command again."
        )


def require_none_in_options(redactor: Redactor, options: Mapping[str, Any]) -> None:
    """Check what was said on a command line, before anything of it is stored.

    Raises:
        LeakError: an option holds a key.
    """
    texts = {
        f"--{name.replace('_', '-')}": " ".join(map(str, value))
        if isinstance(value, list | tuple)
        else str(value)
        for name, value in options.items()
        if not callable(value)
    }
    require_no_keys(redactor, texts, "Nothing was begun")


def faults(redactor: Redactor, name: str, text: str | bytes) -> Iterator[str]:
    """Yield what is wrong with a text: where in it which key stands, without the key."""
    shown = redactor(name)
    for finding in redactor.check(name)[:1]:
        yield f"{shown}: its name holds {redactor(finding.name)}"
    findings = redactor.check(text) or redactor.check(_without_breaks(text))
    for finding in findings[:_MOST_NAMED]:
        place = f"line {finding.line}: " if finding.line > 1 else ""
        yield f"{shown}: {place}it holds {redactor(finding.name)} ({finding.form})"
    if len(findings) > _MOST_NAMED:
        yield f"{shown}: {len(findings) - _MOST_NAMED} more"


def _without_breaks(text: str | bytes) -> str:
    """Return a text without what pages insert into addresses, mentions and references."""
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return plain.replace(BREAK, "").replace("\\u200b", "")
