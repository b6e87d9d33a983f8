"""The dictionary: words that the project has replaced stay out of names, messages and pages.

Prompts that models are sent, and the fields of replies, may say what they like: they are data. So
may the texts in tests, of which names, comments and docstrings are checked, and nothing of the
pipelines in `tests/foreign`, which play the code of other people.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "model_gateway", "worker_plan", "rubrics", "prompt_lab", "analysis", "self_improve", "tools",
)  # fmt: skip
TESTS = "tests"
OF_OTHERS = ("vendor", "foreign")
"""Folders with code of other authors, or that stands for it."""

OLD_WORD = re.compile(r"(^|_)told(_|$)")
"""No identifier is, begins with or ends with this word."""

OLD_LOCALS = frozenset(
    {
        "found",
        "made",
        "known",
        "given",
        "own",
        "kept",
        "held",
        "wish",
        "wanted",
        "ground",
        "stand",
        "stands",
        "making",
        "telling",
    }
)
"""No local variable and no parameter has one of these names; the noun of what it holds is used."""

OLD_CLASSES = frozenset(
    {
        "Wish",
        "Wanted",
        "DriftOrder",
        "Ground",
        "Place",
        "Making",
        "Watched",
        "Standing",
        "Standings",
        "Declared",
        "Met",
        "Found",
        "Stand",
    }
)

DISTINCT_CLASSES = frozenset({"Judged", "Seen", "Outcome", "Limits", "Estimate", "CellKey", "Side"})
"""Names that several classes shared; each may be defined once at most."""

OLD_MODULES = frozenset(
    {
        "telling",
        "making",
        "watching",
        "judging",
        "measuring",
        "finishing",
        "drafting",
        "assigning",
        "branching",
        "preparing",
        "publishing",
        "running",
        "resuming",
    }
)

STORED = {
    "self_improve/full_plan": "comparison.json and kpi_comparison.json of a comparison of plans",
    "self_improve/iteration": "phases/*.json and counsel/programs.jsonl of an iteration",
    "self_improve/optimizer": "reads the records of iterations and of comparisons of plans",
    "self_improve/rollout": "rollouts/<step>/log.jsonl, and --json of its commands",
    "self_improve/verdict": "gates and expectations in the rows of a verdict",
    "tools/generators_table.py": "reads phases/publish.json of an iteration",
    "tools/real_model": "reads phases/publish.json of an iteration, and gates of a verdict",
}
"""Where "told" stays, because it is a key of stored records: the place, and the records."""

OLD_PHRASES = {
    pattern: re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(is|are|be|been|being) told\b",
        r"\btold apart\b",
        r"\btells\b",
        r"\b(lies|lay|lain)\b",
        r"\blie in\b",
        r"\bhang(s|ing)? on\b",
        r"\banew\b",
        r"\bnobody (knows|has said)\b",
        r"\bhonest (interval|one)",
        r"\bgo(es)? on where\b",
        r"\bcomes? to\b",
        r"\bso (many|often)\b",
        r"\bas yet\b",
        r"\bwhoever\b",
        r"\bwithout a word\b",
        r"\bof (its|their) making\b",
        r"\bwhat there is\b",
        r"(?<!there )\b(is|are) no (?!longer\b|more\b|less\b|fewer\b|worse\b|one\b|\w+er\b)",
        r"\bare for looking\b",
        r"\bfurthest fall\b",
        r"\bwished\b",
        r"\bno mild\b",
        r"\bon the model's own\b",
    )
}
"""Turns of phrase that a reader has to solve, and what words.md calls a dialect."""

PAGES = sorted(
    [
        *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("analysis/*.md"),
        *ROOT.glob("prompt_lab/templates/*.md"),
    ]
)  # fmt: skip


@cache
def modules(part: str) -> tuple[Path, ...]:
    """Return the Python files of a part of the house, those of other authors left out."""
    return tuple(
        p
        for p in sorted((ROOT / part).rglob("*.py"))
        if not set(p.parts) & {*OF_OTHERS} and p != Path(__file__)
    )


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def at(path: Path, line: int, what: str) -> str:
    """Return a finding with its place."""
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every name in a file with its line, those inside f-strings included."""
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    for token in tokenize.generate_tokens(reader):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FormattedValue):
            for part in ast.walk(node.value):
                if isinstance(part, ast.Name | ast.Attribute):
                    yield part.lineno, part.id if isinstance(part, ast.Name) else part.attr


def locals_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the parameters and local variables of all functions of a file, and loose names."""
    in_classes = {
        target
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        for target in ast.walk(statement)
        if isinstance(statement, ast.AnnAssign | ast.Assign)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if node not in in_classes:
                yield node.lineno, node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.lineno, node.name


def prompts(path: Path) -> set[ast.AST]:
    """Return what models read of a file: prompt constants, schemas, and all texts of steps."""
    is_step = path.parent == ROOT / "worker_plan" / "steps"
    shown = set[ast.AST]()
    for node in ast.walk(tree(path)):
        names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and any("PROMPT" in name for name in names):
            shown.update(ast.walk(node))
        if isinstance(node, ast.Constant) and is_step and node not in docstrings(path):
            shown.add(node)
        if isinstance(node, ast.ClassDef) and "Field(" in ast.unparse(node):
            shown.update(statement.value for statement in node.body if is_text(statement))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Field":
            shown.update(ast.walk(node))
    return shown


def is_text(statement: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether a statement is a string, such as a docstring."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@cache
def docstrings(path: Path) -> frozenset[ast.AST]:
    """Return the docstrings of a file, those of attributes included."""
    bodies = (getattr(node, "body", None) for node in ast.walk(tree(path)))
    return frozenset(
        statement.value
        for body in bodies
        if isinstance(body, list)
        for statement in body
        if is_text(statement)
    )


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments, docstrings and messages of a file, or the paragraphs of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        line = 1
        for paragraph in re.sub(r"```.*?```", blank, text, flags=re.DOTALL).split("\n\n"):
            yield line, paragraph
            line += paragraph.count("\n") + 2
        return
    shown = prompts(path)
    is_test = path.is_relative_to(ROOT / TESTS)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in shown:
            data = is_test and node not in docstrings(path)
            if not data:
                yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def blank(match: re.Match[str]) -> str:
    """Return as many empty lines as a block of code has, as one paragraph."""
    return " \n" * match[0].count("\n")


def phrases(path: Path) -> list[str]:
    """Return the old phrases in a file."""
    return [
        at(path, line, match[0])
        for line, text in prose(path)
        for pattern in OLD_PHRASES.values()
        for match in pattern.finditer(" ".join(text.split()))
    ]


@pytest.mark.parametrize("part", [*PARTS, TESTS])
def test_names_are_nouns_of_what_they_hold(part: str) -> None:
    """Identifiers, locals, parameters, classes and modules have none of the old names."""
    hits = []
    for path in modules(part):
        hits += [at(path, n, name) for n, name in identifiers(path) if OLD_WORD.search(name)]
        hits += [at(path, n, name) for n, name in locals_of(path) if name in OLD_LOCALS]
        hits += [
            at(path, node.lineno, node.name)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.ClassDef)
            and node.name.lstrip("_") in OLD_CLASSES
            and path.parent.name != "steps"  # the names of reply schemas are sent to models
        ]
        hits += [at(path, 1, "module name")] if path.stem in OLD_MODULES else []
    assert sorted(set(hits)) == []


def test_names_that_had_several_meanings_have_one() -> None:
    """No two classes share one of these names."""
    classes = Counter(
        node.name
        for part in PARTS
        for path in modules(part)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
    )
    assert {name: classes[name] for name in DISTINCT_CLASSES if classes[name] > 1} == {}


def test_the_old_word_is_a_key_only_of_stored_records() -> None:
    """The string "told" occurs only in places that read or write records with this key."""
    names = {
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in modules(part)
        if any(isinstance(n, ast.Constant) and n.value == "told" for n in ast.walk(tree(path)))
    }
    assert {name for name in names if not name.startswith(tuple(STORED))} == set()
    assert {place for place in STORED if not any(name.startswith(place) for name in names)} == set()


@pytest.mark.parametrize("part", [*PARTS, TESTS])
def test_code_speaks_plain_english(part: str) -> None:
    """Comments, docstrings, help and messages have none of the old phrases."""
    assert [hit for path in modules(part) for hit in phrases(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_speak_plain_english(page: Path) -> None:
    """So do README, changelog, documentation and the pages of a data repo."""
    assert phrases(page) == []
