"""Source patching: the named string says the new text, and every other byte is as it was."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from self_improve.code.patch import Change, confirm, diff, patched
from self_improve.code.prompt_literal import replaced
from self_improve.code.source_file import text_of
from self_improve.errors import UsageError
from tests.self_improve.hosts import surface

CONSTANTS = {
    "double": 'NAME = "an old text"  # why\nAFTER = 1\n',
    "single": "BEFORE = 1\nNAME='an old text'",
    "triple": 'NAME = """an old text\nof two lines"""\nAFTER = 1\n',
    "below": 'NAME = """\\\nan old text\nthat is \\\ncontinued\n"""\nAFTER = 1\n',
    "apostrophes": "NAME = '''an old text\n'''\nAFTER = 1\n",
    "raw": 'NAME = r"""an old text with \\d in it\n"""\nAFTER = 1\n',
    "unicode": 'NAME = u"an old text"\nAFTER = 1\n',
    "side by side": 'NAME = (\n    "an old "\n    "text"\n)\nAFTER = 1\n',
    "on one line": 'NAME = "an " "old text"; AFTER = 1\n',
    "backslash": 'NAME = "an old " \\\n    "text"\nAFTER = 1\n',
    "brackets": "NAME = ( 'an old text' )\nAFTER = 1\n",
    "annotated": 'NAME: str = "an old text"\nAFTER = 1\n',
    "declared": 'NAME: str\nNAME = "an old text"\nAFTER = 1\n',
    "branch": 'if True:\n\tNAME = "an old text"\nAFTER = 1\n',
    "tried": 'try:\n    import nowhere\nexcept ImportError:\n    NAME = "old"\n',
    "after others": 'ÄÖ = "計画"; NAME = "an old text"; AFTER = "\N{GRINNING FACE}"\n',
    "form feed": '\x0cNAME = "an old text"\n\x0cAFTER = 1\n',
    "same words": 'OTHER = "an old text"\nNAME = "an old text"\nTHIRD = "an old text"\n',
    "first line": 'NAME = "an old text"',
    "locals": 'NAME = "old"\ndef f():\n    NAME = "local"\n    return NAME\n',
    "lost blanks": '\x0cA = 1\ntry:\n    A = 2\nexcept OSError :\n    1\nNAME = "an old text"\n',
    "odd escape": "NAME = 'an old text'\nPATTERN = r'\\d'\n",
}
FIELDS = {
    "keyword": "    name: str = Field(description='an old text')\n",
    "default first": "    name: str = Field('x', max_length=900, description=\"an old text\")\n",
    "default missing": "    name: str = Field(..., description='an old text', title='T')\n",
    "annotated": "    name: Annotated[str, Field(description='an old text')] = 'x'\n",
    "twice annotated": (
        "    name: Annotated[Annotated[str, Field(description='old')], Field(min_length=1)] = 'x'\n"
    ),
    "both": "    name: Annotated[str, Field(description='an old text')] = Field(default='x')\n",
    "qualified": "    name: str = pydantic.Field(description='an old text')\n",
    "items too": "    name: list[Annotated[str, Field(title='i')]] = Field(description='')\n",
    "several lines": (
        "    name: str = Field(\n        default='x',\n        description=(\n"
        "            'an old '\n            'text'\n        ),\n    )\n"
    ),
    "open lines": "    name: str = Field(\n        description='an old '\n        'text',\n    )\n",
    "own line": "    name: str = Field(\n        description=(\n            'old'\n        ))\n",
    "triple": "    name: str = Field(description='''an old text\nof two lines''')\n",
}
MODEL = (
    "import pydantic\nfrom typing import Annotated\nfrom pydantic import BaseModel, Field\n\n\n"
    "class Other(BaseModel):\n    name: str = Field(description='an old text')\n\n\n"
    "class Model(BaseModel):\n    first: int = 1\n{field}    last: str = 'an old text'\n"
)
ENCODINGS = ("utf-8", "utf-8-sig", "latin-1", "shift_jis", "cp1252", "iso2022_jp")
LINE_ENDS = ("\n", "\r\n", "\r")

CODE = (
    "import os\n", '"""', "'''", '"\nNAME = "x', "\\", "\\\n", '\\"""', "{x}", "{{", "%s", "#",
    "# -*- coding: latin-1 -*-\n", "\N{BOM}", "\x00", "\r", "\r\n", "\x0c", "\x85", "\u2028",
    "\u202e", "\u2066", "\x1b[31m", "\x7f", "計画", "\U0001f9ea", "e\u0301", "\u200d", "\xa0", "\t",
    " ", " \n", "\n", "\\N{BULLET}", "\\x41", "\\u0041", '"', "'", "\U0010ffff", "\ue000",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.sampled_from([*CODE, "word ", "Give five levers. "]), max_size=60).map("".join),
)


def source_of(template: str, encoding: str, line_end: str) -> bytes | None:
    """Return a file in an encoding, or None if it cannot be written so."""
    cookie = "" if encoding.startswith("utf-8") else f"# -*- coding: {encoding} -*-\n"
    try:
        return (cookie + template).replace("\n", line_end).encode(encoding)
    except UnicodeEncodeError:
        return None


SOURCES = [
    (source, name)
    for (template, name), encoding, line_end in product(
        [
            *((text, "NAME") for text in CONSTANTS.values()),
            *((MODEL.format(field=text), "Model.name") for text in FIELDS.values()),
        ],
        ENCODINGS,
        LINE_ENDS,
    )
    if (source := source_of(template, encoding, line_end)) is not None
]


def strings(source: bytes) -> list[str]:
    """Return every string constant of a file, in order."""
    return [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def others(source: bytes) -> list[str]:
    """Return the tokens of a file that are neither strings nor brackets nor space."""
    text = re.sub("\r\n?", "\n", text_of(source))
    kinds = {tokenize.NAME, tokenize.NUMBER, tokenize.COMMENT, tokenize.OP}
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in kinds and token.string not in {"(", ")"}
    ]


class Importer:
    """A process that imports files, and says what they hold."""

    PROGRAM = """\
import importlib.util, json, sys
for line in sys.stdin:
    path, name = json.loads(line)
    spec = importlib.util.spec_from_file_location("patched", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["patched"] = module
    spec.loader.exec_module(module)
    first, _, field = name.partition(".")
    value = getattr(module, first)
    print(json.dumps(value.model_fields[field].description if field else value), flush=True)
"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-c", self.PROGRAM], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def value(self, source: bytes, name: str) -> str:
        """Return what a file holds under a name once it is imported."""
        self._number += 1
        path = self._folder / f"m{self._number}.py"
        path.write_bytes(source)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(path), name]) + "\n")
        self.process.stdin.flush()
        return str(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def importer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Importer]:
    """Return a process that imports files."""
    importer = Importer(tmp_path_factory.mktemp("imported"))
    yield importer
    importer.process.communicate()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOURCES), TEXTS)
@example(SOURCES[0], '""""""""')
@example(SOURCES[0], "".join(CODE))
@example(SOURCES[0], "ends in a backslash\\")
@example((b'NAME = "x"', "NAME"), "\n# coding: latin-1\n\xe4")
def test_any_text_comes_back_from_a_child_process(
    importer: Importer, given_source: tuple[bytes, str], text: str
) -> None:
    """However it is written, in whatever file: what is imported is the text."""
    source, name = given_source
    assert importer.value(replaced(source, name, text), name) == text


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOURCES), TEXTS)
def test_nothing_else_changes(given_source: tuple[bytes, str], text: str) -> None:
    """Strings are the same but for one, and names, numbers, comments and order are the same."""
    source, name = given_source
    replaced_source = replaced(source, name, text)
    before, after = strings(source), strings(replaced_source)
    changed = [at for at, old in enumerate(before) if old != after[at]]
    assert [after[at] for at in changed] == ([] if replaced_source == source else [text])
    assert len(before) == len(after)
    assert others(source) == others(replaced_source)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SOURCES), TEXTS)
def test_patching_twice_is_patching_once(given_source: tuple[bytes, str], text: str) -> None:
    """So that a killed command may patch again; and the old text can be put back."""
    source, name = given_source
    replaced_source = replaced(source, name, text)
    assert replaced(replaced_source, name, text) == replaced_source
    pairs = zip(strings(source), strings(replaced_source), strict=True)
    old = next((old for old, new in pairs if old != new), text)
    assert strings(replaced(replaced_source, name, old)) == strings(source)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SOURCES), TEXTS)
def test_nothing_hides_in_the_source(given_source: tuple[bytes, str], text: str) -> None:
    """Control characters and those that turn the direction of reading are written as escapes."""
    source, name = given_source
    replaced_source = replaced(source, name, text).decode("latin-1")
    assert not {one for one in replaced_source if ord(one) < 32} - {
        "\n",
        "\r",
        "\t",
        "\x0c",
        "\x1b",
    }
    utf8 = replaced(CONSTANTS["double"].encode(), "NAME", text).decode()
    assert all(one.isprintable() or one == "\n" for one in utf8)


def test_file_in_an_old_encoding_gets_escapes_for_what_it_lacks() -> None:
    """Its encoding stays, and what it has is written plainly."""
    source = '# coding: latin-1\nNAME = "alt"\n'.encode("latin-1")
    replaced_source = replaced(source, "NAME", "für 計画")
    assert replaced_source == '# coding: latin-1\nNAME = "für \\u8a08\\u753b"\n'.encode("latin-1")


def test_line_ends_of_the_file_are_kept() -> None:
    """A text of several lines has them too, and says what it says."""
    replaced_source = replaced(b'NAME = """\\\r\nold\r\n"""\r\n', "NAME", "a\nb\r\nc\n")
    assert replaced_source == b'NAME = """\\\r\na\r\nb\\r\r\nc\r\n"""\r\n'


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ('NAME = "old"\n', "new", 'NAME = "new"\n'),
        ("NAME = 'old'\n", "new", "NAME = 'new'\n"),
        ("NAME = 'old'\n", "it's", 'NAME = "it\'s"\n'),
        ('NAME = "old"\n', "one\ntwo\n", 'NAME = """\\\none\ntwo\n"""\n'),
        ('NAME = """old"""\n', 'say "yes"', 'NAME = """say "yes\\""""\n'),
        ('NAME = """\\\nold\n"""\n', "one \ntwo", 'NAME = """\\\none\\x20\ntwo"""\n'),
        ('NAME = (\n    "old "\n    "text"\n)\n', "a\nb", 'NAME = (\n    "a\\n"\n    "b"\n)\n'),
        ('NAME = (\n    "old"\n)\n', "w " * 60,
         f'NAME = (\n    "{"w " * 46}"\n    "{"w " * 14}"\n)\n'),
        ('NAME = "old"\n', "w " * 60, f'NAME = """\\\n{"w " * 49}\\\n{"w " * 11}"""\n'),
    ],
)  # fmt: skip
def test_manner_of_the_old_string_is_kept(source: str, text: str, expected: str) -> None:
    """Quotes, where it opens, strings side by side, and lines of at most a hundred columns."""
    assert replaced(source.encode(), "NAME", text).decode() == expected


def test_long_description_is_put_into_brackets() -> None:
    """As a formatter would write it."""
    source = "class M:\n    name: str = Field(description='old')\n"
    replaced_source = replaced(source.encode(), "M.name", "word " * 30).decode()
    assert replaced_source == (
        "class M:\n    name: str = Field(description=(\n"
        f"        '{'word ' * 17}'\n        '{'word ' * 13}'\n    ))\n"
    )


def test_lines_that_stay_are_written_as_they_were() -> None:
    """A change of one line of a prompt is one line of the diff, odd line breaks or not."""
    source = b'NAME = """\\\nOne is \\\nbroken \\x41 here.\nTwo.\nThree \\\n\\\nis too.\n"""\n'
    old = "One is broken A here.\nTwo.\nThree is too.\n"
    assert strings(source) == [old]
    replaced_source = replaced(source, "NAME", old.replace("Two.", "Zwei."))
    assert replaced_source == source.replace(b"Two.", b"Zwei.")


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        ('NAME = f"old {1}"\n', "NAME", "f-string"),
        ('NAME = "old" + "text"\n', "NAME", "operator"),
        ('NAME = "old".strip()\n', "NAME", "call"),
        ('NAME = " ".join(["a", "b"])\n', "NAME", "call"),
        ('A = "old"\nNAME = A\n', "NAME", "another name"),
        ('NAME = "a" if A else "b"\n', "NAME", "condition"),
        ('NAME = b"old"\n', "NAME", "not a plain string"),
        ("NAME = 3\n", "NAME", "not a plain string"),
        ('A = "a"\n', "NAME", "assigns no NAME"),
        ('def f():\n    NAME = "a"\n', "NAME", "assigns no NAME"),
        ('class C:\n    NAME = "a"\n', "NAME", "assigns no NAME"),
        ("NAME: str\n", "NAME", "assigns no NAME"),
        ('NAME = "a"\nNAME = "b"\n', "NAME", "several places (lines 1, 2)"),
        ('if A:\n    NAME = "a"\nelse:\n    NAME = "b"\n', "NAME", "several places"),
        ('NAME = "a"\nNAME += "b"\n', "NAME", "several places"),
        ('NAME = "a"\nfor NAME in "b": pass\n', "NAME", "several places"),
        ('NAME = "a"\nfrom x import NAME\n', "NAME", "several places"),
        ('NAME = "a"\nfrom x import y as NAME\n', "NAME", "several places"),
        ('NAME = "a"\ndef NAME(): pass\n', "NAME", "several places"),
        ('NAME = "a"\ndef f():\n    global NAME\n    NAME = "b"\n', "NAME", "several places"),
        ('NAME = "a"\ndel NAME\n', "NAME", "several places"),
        ('NAME = "a"\ntry: pass\nexcept E as NAME: pass\n', "NAME", "several places (lines 1, 3)"),
        ('NAME = "a"\nprint(NAME := "b")\n', "NAME", "several places"),
        ('NAME = "a" f"{b}"\n', "NAME", "in all its parts"),
        ('NAME = OTHER = "a"\n', "NAME", "together with other names"),
        ('NAME, OTHER = "a", "b"\n', "NAME", "together with other names"),
        ("import NAME\n", "NAME", "not set by an assignment"),
        ('NAME = (\n    "a"  # why\n    "b"\n)\n', "NAME", "comment"),
        ("NAME = (\n", "NAME", "not Python"),
        ("# coding: nonsense\nNAME = 'a'\n", "NAME", "not Python"),
        ("# coding: rot13\nNAME = 'a'\n", "NAME", "not Python"),
        ("NAME = 'a\x00'\n", "NAME", "not Python"),
        ("class M:\n    name: str = Field()\n", "M.name", "no description is written"),
        ("class M:\n    name: str = 'x'\n    'A doc.'\n", "M.name", "no description is written"),
        ("class M:\n    name: str = Field(description=A)\n", "M.name", "another name"),
        ("class M:\n    name: str = Field(description=f'{A}')\n", "M.name", "f-string"),
        ("class M:\n    name: str = Field(**{'description': 'x'})\n", "M.name", "no description"),
        ("class M:\n    name: list[Annotated[str, Field(description='x')]] = []\n", "M.name",
         "no description"),
        ("class M:\n    name: Annotated[str, Field(description='a')] = Field(description='b')\n",
         "M.name", "several descriptions"),
        ("class M:\n    other: str = Field(description='b')\n", "M.name", "M declares no name"),
        ("class M:\n    name: str = Field(description='b')\n    name: int = 1\n", "M.name",
         "M declares several name"),
        ("class M: pass\nclass M: pass\n", "M.name", "several M"),
        ("A = 1\n", "M.name", "defines no M"),
    ],
)  # fmt: skip
def test_what_is_no_plain_string_is_refused(source: str, name: str, reason: str) -> None:
    """With the reason, and without a guess."""
    with pytest.raises(UsageError, match=r"^.*" + reason.replace("(", r"\(").replace(")", r"\)")):
        replaced(source.encode(), name, "a new text")


@pytest.mark.parametrize("text", ["\ud800", "before \udfff after"])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    """It could be written as an escape, but no model could be sent it."""
    with pytest.raises(UsageError, match="half a surrogate pair at character"):
        replaced(b'NAME = "old"', "NAME", text)


def test_old_file_with_half_a_pair_elsewhere_can_be_patched() -> None:
    """What others wrote as an escape is theirs."""
    source = b'A = "\\ud800"\nNAME = "\\udc00"\n'
    assert replaced(source, "NAME", "new") == b'A = "\\ud800"\nNAME = "new"\n'


def written(root: Path, files: dict[str, str]) -> Path:
    """Write a code tree."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a code tree of a package and a module in it."""
    return written(
        tmp_path / "code",
        {
            "host/__init__.py": 'TOP = "an old text"\n',
            "host/prompts.py": 'NAME = "an old text"\nOTHER = "another old text"\n',
            "host/steps/find.py": "class M:\n    name: str = Field(description='old')\n",
        },
    )


def test_surfaces_are_found_in_their_files(tree: Path) -> None:
    """Several in one file, a package's own, and fields; nothing is written."""
    texts = {"host:TOP": "1", "host.prompts:NAME": "2", "host.prompts:OTHER": "3",
             "host.steps.find:M.name": "4"}  # fmt: skip
    replaced_source = {path: change.after.decode() for path, change in patched(tree, texts).items()}
    assert replaced_source == {
        "host/__init__.py": 'TOP = "1"\n',
        "host/prompts.py": 'NAME = "2"\nOTHER = "3"\n',
        "host/steps/find.py": "class M:\n    name: str = Field(description='4')\n",
    }
    assert (tree / "host/prompts.py").read_text().startswith('NAME = "an old')


def test_file_that_says_so_already_is_left_out(tree: Path) -> None:
    """So a patched tree has nothing to be patched."""
    assert patched(tree, {"host:TOP": "an old text"}) == {}


@pytest.mark.parametrize(
    "module",
    ["", "..secret", "/etc/passwd", "host.nothing", "host/prompts", "host.prompts.x", "a-b"],
)
def test_module_that_is_not_there_is_refused(tree: Path, module: str) -> None:
    """A surface's id is untrusted text, and leads nowhere else."""
    with pytest.raises(
        UsageError, match=r"cannot be changed in the source: .*(no module|not a module name)"
    ):
        patched(tree, {f"{module}:NAME": "x"})


def test_link_out_of_the_tree_is_refused(tree: Path, tmp_path: Path) -> None:
    """Neither a linked file nor a file in a linked folder is changed."""
    outside = written(tmp_path / "outside", {"secret.py": 'NAME = "old"\n'})
    (tree / "host/linked.py").symlink_to(outside / "secret.py")
    (tree / "host/folder").symlink_to(outside)
    for module in ("host.linked", "host.folder.secret"):
        with pytest.raises(UsageError, match="is a link"):
            patched(tree, {f"{module}:NAME": "x"})


def test_all_problems_are_named_at_once(tree: Path) -> None:
    """One message says everything that is wrong with a candidate."""
    with pytest.raises(UsageError) as caught:
        patched(tree, {"host:TOP": "\ud800", "host.prompts:GONE": "x", "nowhere:A": "x"})
    assert len(str(caught.value).splitlines()) == 3


def test_imported_text_is_compared_with_the_candidate() -> None:
    """A surface that says something else after the import, or is gone, is named."""
    result = {"a:B": surface("a:B", "what was meant"), "a:C": surface("a:C", "something else")}
    confirm({"a:B": "what was meant"}, result)
    with pytest.raises(
        UsageError, match=r"a:C says something else[^\0]*a:D is no longer a prompt surface"
    ):
        confirm({"a:B": "what was meant", "a:C": "what was meant", "a:D": "x"}, result)


def test_diff_can_be_applied(tree: Path) -> None:
    """It is what git would show, missing line ends at the end of a file included."""
    (tree / "host/bare.py").write_bytes(b'A = 1\r\nNAME = "old"')
    texts = {"host.bare:NAME": "new\u2028", "host.prompts:NAME": "new"}
    changes = patched(tree, texts)
    shown = diff(changes)
    assert "\\ No newline at end of file" in shown
    subprocess.run(
        ["git", "apply", "--unsafe-paths", f"--directory={tree}", "-p1", "-"],
        input=shown.encode(), check=True, cwd=tree,
    )  # fmt: skip
    for path, change in changes.items():
        assert (tree / path).read_bytes() == change.after


def test_diff_of_an_unreadable_file_is_shown_all_the_same() -> None:
    """What is not text in its encoding is shown as far as it goes."""
    assert "+b" in diff({"x": Change(before=b"\xff\n", after=b"\xff\nb\n")})


def test_every_surface_of_the_own_pipeline_can_be_patched() -> None:
    """Whatever constants and descriptions its steps hold, each is found and nothing else moves."""
    root = Path(__file__).parents[3]
    count = 0
    for path in sorted((root / "worker_plan/steps").glob("*.py")):
        source = path.read_bytes()
        for name in names_of(ast.parse(source)):
            replaced_source = replaced(source, name, "A new text.\nOf two lines.")
            assert strings(replaced_source).count("A new text.\nOf two lines.") == 1, (path, name)
            count += 1
    assert count > 50


def names_of(tree: ast.Module) -> Iterator[str]:
    """Yield the names of plain constants and of described fields, by another way than the patch."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str())):
                yield name
            case ast.ClassDef(name=model):
                for inner in node.body:
                    match inner:
                        case ast.AnnAssign(
                            target=ast.Name(id=field), value=ast.Call(keywords=keywords)
                        ) if any(is_plain_description(one) for one in keywords):
                            yield f"{model}.{field}"


def is_plain_description(keyword: Any) -> bool:
    """Whether this keyword is a description written as one string."""
    return keyword.arg == "description" and isinstance(keyword.value, ast.Constant)
