"""Pieces of Markdown keep their form whatever a model wrote."""

from __future__ import annotations

from worker_plan.markdown import bullets, document, gaps, table


def test_cell_cannot_break_its_table() -> None:
    """Bars and line ends of a cell stay inside it."""
    assert table(["a", "b"], [["x | y", "1\n2"]]) == [
        "| a | b |",
        "| --- | --- |",
        "| x \\| y | 1 2 |",
    ]


def test_empty_texts_get_no_bullet() -> None:
    """A list has one line for each text that says something."""
    assert bullets(["one\ntwo", " ", "three"]) == ["- one two", "- three"]


def test_gaps_are_named() -> None:
    """What is missing stands in one visible note; without gaps there is none."""
    assert gaps([]) == []
    [note, after] = gaps(["Anna\nMüller", "Bo"])
    assert note.startswith("> **Incomplete.**")
    assert "Anna Müller; Bo" in note
    assert after == ""


def test_document_ends_with_one_line_end() -> None:
    """Empty lines at the end go."""
    assert document(["# A", "", "", ""]) == "# A\n"
