"""Writes the table of failures in docs/evaluator.md from the one in the code."""

from __future__ import annotations

from pathlib import Path

from model_gateway.blame import FAILURES, Blame, FailureRow

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluator.md"
BEGIN, END = "<!-- failures -->", "<!-- end of failures -->"
_WHOSE = {Blame.prompt: "the prompt's", Blame.world: "the world's", Blame.settings: "the settings'"}


def table() -> str:
    """Return the table in Markdown."""
    rows = [
        f"| `{kind}` | {_whose(row)} | {row.when} | {'yes' if row.again else 'no'} |"
        for kind, row in FAILURES.items()
    ]
    head = "| kind | whose | when | tried again |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows])


def _whose(row: FailureRow) -> str:
    alone = ", the prompt's on one side alone" if row.prompt_alone else ""
    return _WHOSE[row.whose] + alone


def page(text: str) -> str:
    """Return the page with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
