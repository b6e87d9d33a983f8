"""Puts hostile candidate texts into source files, and checks that they stay texts.

Each text is put in the place of a prompt constant or a field description of a module that is
written in one of many manners. The patched module must say exactly the text when it is run, must
otherwise be the module that it was, token by token, and must do nothing else. A text that no model
can be sent must be refused.
"""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from self_improve.code.prompt_literal import replaced
from self_improve.errors import UsageError
from tools.hostile.row import Row

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
_KINDS = ("prompt constants", "field descriptions")
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "shift_jis")


def campaign(size: int, seed: int = 1, only: str = "") -> Iterator[Row]:
    """Put `size` hostile texts into modules; yield a row for constants and one for fields."""
    runs, refused = Counter[str](), Counter[str]()
    violations: dict[str, list[str]] = defaultdict(list)
    for number in range(size):
        draw = random.Random(f"{seed}.{number}")
        kind = _KINDS[draw.random() < 0.25]
        if not re.search(only, kind):
            continue
        is_field = kind == _KINDS[1]
        source = _module(draw, _FIELD_MANNERS if is_field else _MANNERS)
        text = "".join(draw.choice(_PIECES) for _ in range(draw.randint(1, 12)))
        runs[kind] += 1
        was_refused, trouble = _outcome(source, "M.name" if is_field else "NAME", text)
        refused[kind] += was_refused
        if trouble is not None:
            violations[kind].append(f"{seed}.{number}: {trouble}: {text!a} in {source!r}")
    for kind in _KINDS:
        sentences = tuple(violations[kind])
        yield Row(kind=kind, runs=runs[kind], refused=refused[kind], violations=sentences)


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


def _outcome(source: bytes, name: str, text: str) -> tuple[bool, str | None]:
    """Return whether `text` was refused, and what is wrong once it was put in, or None."""
    unsendable = _SURROGATE.search(text) is not None
    try:
        patched = replaced(source, name, text)
    except UsageError as error:
        return True, None if unsendable else f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return False, f"{type(error).__name__}: {error}"
    if unsendable:
        return False, "half a surrogate pair was taken"
    return False, _trouble(source, patched, name, text)


def _trouble(source: bytes, patched: bytes, name: str, text: str) -> str | None:
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
