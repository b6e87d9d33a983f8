"""Puts hostile candidate texts into source files, and checks that they stay texts.

    python -m tools.hostile_texts --runs 2000 --seed 1

Each text is put in the place of a prompt constant or a field description of a module that is
written in one of many manners. The patched module must say exactly the text when it is run, must
otherwise be the module that it was, token by token, and must do nothing else. A text that no model
can be sent must be refused.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, field

from self_improve.code.prompt_literal import replaced
from self_improve.errors import UsageError

_MOST_SHOWN = 10
_SURROGATE = re.compile("[\ud800-\udfff]")
_PIECES = (
    '"', "'", '"""', "'''", '""', "''", '\\"""', "\\'''", "\\", "\\\\", "\\\n", "\n", "\r", "\r\n",
    "\x00", "\x0b", "\x0c", "\x1a", "\x1b[31m", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e",
    "\u2066", "\u200b", "\u00ad", "\U000e0041", "\ud800", "\udfff", "\ud83d\ude00", "😀", "é",
    "e\u0301", "{", "}", "{{", "}}", "{x}", "{__import__('os').system('x')}", "%s", "%(x)s", "$x",
    "\\N{DIGIT ONE}", "\\x41", "\\u0041", "\\U00000041", "\\101", "\\0", "\\x", "\\u", "\\U",
    '"\nEXTRA = 1\nX = "', "'\nEXTRA = 1\nX = '", '"""\nEXTRA = 1\nX = """', "'''\nEXTRA=1\nX='''",
    "\\N{", '" + str(EXTRA := 1) + "', "' f'{1}", "#", "# comment", "# -*- coding: rot13 -*-",
    ";EXTRA=1",
    ")", "(", "]", ",", "=", "  ", "\t", " \n", "\t\n", "    x\n", "import os", "lambda: 0", "rb",
    "f", "b", "r", "u", "x" * 120, "word " * 40, "計画" * 60, "ﬁ", "İ", "\x7f", "\x9b",
    "\xa0", "\u3000",
)  # fmt: skip
_MANNERS = (
    '{head}NAME = "an old text"\nAFTER = 1\n',
    "{head}NAME = 'an old text'\nAFTER = 1\n",
    '{head}NAME = """an old text\nof lines"""\nAFTER = 1\n',
    "{head}NAME = '''\\\nan old text\n'''\nAFTER = 1\n",
    '{head}NAME = r"""an \\d old text"""\nAFTER = 1\n',
    '{head}NAME = u"an old text"; AFTER = 1\n',
    '{head}NAME = (\n    "an old "\n    "text"\n)\nAFTER = 1\n',
    '{head}NAME = "an " "old text"\nAFTER = 1\n',
    '{head}NAME: str = ("an old text")\nAFTER = 1\n',
    '{head}if True:\n\tNAME = "an old text"\nAFTER = 1\n',
    '{head}try:\n  NAME = "an old text"\nfinally:\n  AFTER = 1\n',
    '{head}def f():\n    return """an old text"""\nNAME = "an old text"\nAFTER = f"{{f()}}"\n',
)
_FIELD_MANNERS = (
    "{head}class M:\n    name: str = Field(description='an old text')\nAFTER = 1\n",
    '{head}class M:\n    name: str = Field(1, description="""an\nold text""", title="t")\n'
    "AFTER = 1\n",
    "{head}class M:\n    name: str = Field(\n        description=(\n            'an old '\n"
    "            'text'\n        ),\n    )\nAFTER = 1\n",
)
_HEADS = ("", "#!/usr/bin/python\n", "import os\n", '"""A module: {{x}}."""\n', "ÄÖ = '計画'\n")
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "shift_jis")


@dataclass(kw_only=True)
class Row:
    """How many texts were put in, how many were refused rightly, and the violations."""

    kind: str
    runs: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign, print a table, and return 1 if there was a violation."""
    parser = argparse.ArgumentParser(prog="python -m tools.hostile_texts", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="hostile texts (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (default: 1)")
    options = parser.parse_args(words)
    rows = campaign(options.runs, options.seed)
    for row in rows:
        counts = f"{row.runs:6} texts {row.refused:6} refused {len(row.violations):4} violations"
        print(f"{row.kind:20} {counts}")
        for violation in row.violations[:_MOST_SHOWN]:
            print(f"    {violation}")
    return 1 if any(row.violations for row in rows) else 0


def campaign(runs: int, seed: int) -> list[Row]:
    """Put `runs` hostile texts into modules, and return a row for constants and one for fields."""
    rows = [Row(kind="prompt constants"), Row(kind="field descriptions")]
    for number in range(runs):
        draw = random.Random(f"{seed}.{number}")
        row = rows[draw.random() < 0.25]
        is_field = row is rows[1]
        source = _module(draw, _FIELD_MANNERS if is_field else _MANNERS)
        text = "".join(draw.choice(_PIECES) for _ in range(draw.randint(1, 12)))
        row.runs += 1
        trouble = _trouble(source, "M.name" if is_field else "NAME", text, row)
        if trouble is not None:
            row.violations.append(f"{seed}.{number}: {trouble}: {text!a} in {source!r}")
    return rows


def _module(draw: random.Random, manners: Sequence[str]) -> bytes:
    encoding = draw.choice(_ENCODINGS)
    head = draw.choice(_HEADS)
    try:
        head.encode(encoding)
    except UnicodeEncodeError:
        head = ""
    text = draw.choice(manners).format(head=head.format())
    if encoding not in {"utf-8", "utf-8-sig"}:
        text = f"# -*- coding: {encoding} -*-\n{text}"
    return text.replace("\n", draw.choice(("\n", "\n", "\r\n"))).encode(encoding)


def _trouble(source: bytes, name: str, text: str, row: Row) -> str | None:
    """Return what is wrong once `text` was put in, or None."""
    unsendable = _SURROGATE.search(text) is not None
    try:
        patched = replaced(source, name, text)
    except UsageError as error:
        row.refused += 1
        return None if unsendable else f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {error}"
    if unsendable:
        return "half a surrogate pair was taken"
    said = _said(patched, name)
    if said != text:
        return f"it says {said!a}"
    if _without_text(patched) != _without_text(source):
        return "the rest of the module has changed"
    if _tokens(patched) != _tokens(source):
        return "other tokens have changed"
    return None


def _said(source: bytes, name: str) -> str:
    """Return what a module says once it was run."""
    values: dict[str, object] = {"Field": lambda *_, **named: named}
    exec(compile(source, "module", "exec"), values)  # noqa: S102 - our own module
    if "EXTRA" in values:
        return "EXTRA code was run"
    if name == "NAME":
        return str(values[name])
    described: dict[str, str] = vars(values["M"])["name"]
    return described["description"]


def _without_text(source: bytes) -> str:
    """Return the syntax tree of a module with the text that is replaced blanked."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name("NAME")], value=ast.Constant() as value):
                value.value, value.kind = "", None
            case ast.AnnAssign(target=ast.Name("NAME"), value=ast.Constant() as value):
                value.value, value.kind = "", None
            case ast.keyword(arg="description", value=ast.Constant() as value):
                value.value, value.kind = "", None
    return ast.dump(tree)


def _tokens(source: bytes) -> list[str]:
    """Return the tokens of a module that are neither strings nor blank, nor brackets of one."""
    kinds = {tokenize.NAME, tokenize.NUMBER, tokenize.COMMENT}
    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return [token.string for token in tokens if token.type in kinds]


if __name__ == "__main__":
    raise SystemExit(main())
