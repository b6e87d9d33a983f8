"""A self-contained HTML page: style and scripts are in it, and nothing else may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from worker_plan.errors import PlanError
from worker_plan.language import direction, language

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES = "templates"
_ENDS = ("</style", "</script", "<!--")


def page(
    template: str,
    *,
    written_like: str,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    **values: Any,
) -> str:
    """Return the page from `template` and `values`, which are escaped except `Markup`.

    Direction and language are those of the text `written_like`. `styles` and `scripts` are our
    own texts; the common style of all pages comes first. The page's Content-Security-Policy
    names their digests, so that a browser runs nothing else and fetches nothing.

    Raises:
        PlanError: a style or script would end its element early.
    """
    style = "\n".join([text_of("page.css"), *styles])
    for inline in (style, *scripts):
        if any(end in inline.lower() for end in _ENDS):
            raise PlanError("A style or script of the page contains the end of its own element.")
    return _template(template).render(
        values,
        direction=direction(written_like),
        language=language(written_like),
        policy=_policy(style, scripts),
        style=Markup(style),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
    )


def fragment(template: str, **values: Any) -> Markup:
    """Return part of a page from `template` and `values`, which are escaped."""
    return Markup(_template(template).render(values))  # noqa: S704


def standalone(markdown: str, title: str) -> str:
    """Return `markdown` as a page of its own."""
    from worker_plan.prose import prose  # As in `_template`.

    body = prose(markdown, title=title, heading=2, anchor="text").html
    return page("text.html", written_like=markdown, title=title, body=body)


def text_of(name: str) -> str:
    """Return the text of a style or script beside the templates."""
    return resources.files(__package__).joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    # Imported here because few steps make pages, and the processes of all others would load it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _policy(style: str, scripts: Sequence[str]) -> str:
    parts = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _digest(style),
        "script-src": " ".join(map(_digest, scripts)) or "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        # Only the first policy of this name counts, and one of these scripts creates it.
        "trusted-types": "default" if scripts else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _digest(inline: str) -> str:
    digest = hashlib.sha256(inline.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
