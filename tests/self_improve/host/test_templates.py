"""Which texts the code can fill in, and where it fills them in."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from self_improve.host import template_uses
from self_improve.host.templates import Style, TemplateUse, problems

LOG = "The log of the counter:\n{log}\nReply with JSON, for instance {{}}."


def checked(style: Style, old: str, new: str, *names: str) -> list[str]:
    """Return what is wrong with a text where the code fills in another."""
    return problems([TemplateUse(style=style, names=names)], old, new)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("Make one entry for each thing.", "drops the variable {log}"),
        ("On {date}:\n{log}", "adds the variable {date}"),
        ('{log}\nReply like {"items": []}.', 'adds the variable {"items"}'),
        ("{log}\nReply like {items.", "broken"),
        ("{log}\n}", "broken"),
        ("{log!x}", "not a conversion"),
        ("{log:%Q}", "not a format"),
        ("{log.__class__}", "reads log.__class__"),
        ("{log} and {}", "adds the variable {}"),
        ("{log:{width}}", "adds the variable {width}"),
    ],
)
def test_a_text_that_braces_cannot_fill_in_is_refused(new: str, message: str) -> None:
    """By the name of the variable."""
    assert message in "; ".join(checked(Style.braces, LOG, new, "log"))


@pytest.mark.parametrize(
    "new", ["{log}", "{log!s} {log:>10}", "{{ }} {log} {{log}}", "{log} 100 % $5", "{log}{date}"]
)
def test_a_text_that_braces_can_fill_in_is_taken(new: str) -> None:
    """Also one with a variable that the code gives and the text before did not use."""
    assert checked(Style.braces, LOG, new, "log", "date") == []


@pytest.mark.parametrize(
    ("style", "old", "new", "message"),
    [
        (Style.percent, "Open until %(closing)s.", "Open.", "drops the variable %(closing)s"),
        (Style.percent, "Open until %(closing)s.", "%(closing)s, 100 % of", "variable %s"),
        (Style.percent, "Open until %(closing)s.", "%(closing)s on %(day)s", "variable %(day)s"),
        (Style.percent, "Open until %(closing)s.", "%(closing)s: 10 %!", "broken"),
        (Style.percent, "From %s to %s.", "From %s.", "1 places %s, and the code fills in 2"),
        (Style.percent, "From %s to %s.", "%s %s %s", "3 places %s, and the code fills in 2"),
        (Style.dollar, "At $place.", "Nowhere.", "drops the variable $place"),
        (Style.dollar, "At $place.", "$place for $ 5", "broken"),
        (Style.dollar, "At $place.", "$place on $day", "adds the variable $day"),
        (Style.dollar_safe, "At $place.", "$5 on $day", "drops the variable $place"),
        (Style.jinja, "At {{ place }}.", "At {{ place.", "broken"),
        (Style.jinja, "At {{ place }}.", "At {{ city }}.", "drops the variable {{ place }}"),
    ],
)
def test_other_kinds_of_templates_are_checked_alike(
    style: Style, old: str, new: str, message: str
) -> None:
    """Each by its own rules."""
    assert message in "; ".join(checked(style, old, new))


def test_a_token_that_is_replaced_must_stay() -> None:
    """All other braces of such a text are plain characters."""
    assert checked(Style.token, "The <log>: {a}", 'The log: {"b": 1}', "<log>") == [
        "it drops <log>, which the code replaces"
    ]
    assert checked(Style.token, "The <log>", 'The <log> {"b": 1} {', "<log>") == []


def test_a_text_that_the_code_does_not_fill_in_may_hold_any_braces() -> None:
    """Whatever it looks like; and a baseline that is not a template shows it."""
    assert problems([], LOG, 'Reply like {"items": [}') == []
    assert checked(Style.braces, 'Reply like {"items": [}', "Reply { anyhow") == []


Load = Callable[[str], dict[str, list[TemplateUse]]]
TEXTS = {"PROMPT": "Sort the log {log} with care.", "PLAIN": "Write {like} this, literally."}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return what imports a host's code and finds the uses of its constants."""

    def loaded(code: str) -> dict[str, list[TemplateUse]]:
        constants = "\n".join(f"{name} = {text!r}" for name, text in TEXTS.items())
        modules: dict[str, ModuleType] = {}
        for name, source in (("shop_texts", constants), ("shop_code", code)):
            path = tmp_path / f"{name}.py"
            path.write_text(source)
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            modules[name] = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, name, modules[name])
            spec.loader.exec_module(modules[name])
        texts = {name: vars(modules["shop_texts"])[name] for name in TEXTS}
        return {name: list(uses) for name, uses in template_uses.find(modules, texts).items()}

    return loaded


@pytest.mark.parametrize(
    "code",
    [
        "from shop_texts import PROMPT\ndef run(log): return PROMPT.format(log=log)",
        "import shop_texts\ndef run(log): return shop_texts.PROMPT.format(log=log)",
        "from shop_texts import PROMPT as P\ndef run(log): return str.format(P, log=log)",
        "from shop_texts import PROMPT\ndef run(log):\n    text = PROMPT.strip()\n"
        "    return text.format(log=log)",
        "from shop_texts import PROMPT\ndef fill(text, **more): return text.format(**more)\n"
        "def run(log): return fill(PROMPT, log=log)",
        "from shop_texts import PROMPT\nclass Step:\n    text = PROMPT\n"
        "    def run(self, log): return self.text.format(log=log)",
        "from shop_texts import PROMPT\nALL = {'sort': PROMPT}\n"
        "def run(log): return ALL['sort'].format_map({'log': log})",
        "from shop_texts import PROMPT\ndef run(log, text=PROMPT): return text.format(log=log)",
        "from shop_texts import PROMPT\ndef text(): return PROMPT\n"
        "def run(log): return text().format(log=log)",
    ],
)
def test_a_constant_is_followed_to_where_it_is_filled_in(load: Load, code: str) -> None:
    """Through names, attributes, containers, parameters, defaults and results."""
    uses = load(code)
    assert {use.style for use in uses["PROMPT"]} == {Style.braces}
    assert "PLAIN" not in uses


@pytest.mark.parametrize(
    ("line", "style"),
    [
        ("PROMPT % {'log': log}", Style.percent),
        ("PROMPT.replace('{log}', log)", Style.token),
        ("string.Template(PROMPT).substitute(log=log)", Style.dollar),
        ("PROMPT", None),
        ("PROMPT + '{x}'.format(x=log)", None),
        ("'{a}: {b}'.format(a=PROMPT, b=log)", None),
        ("PROMPT.replace('  ', ' ')", None),
    ],
)
def test_the_kind_of_template_is_that_of_the_code(
    load: Load, line: str, style: Style | None
) -> None:
    """A text that is only inserted into another, or cleaned, is not filled in itself."""
    uses = load(f"import string\nfrom shop_texts import PROMPT\ndef run(log): return {line}")
    assert [use.style for use in uses.get("PROMPT", [])] == ([style] if style else [])
