"""Finds where a host's code fills its prompt constants in, by following their names.

The code is only read. A constant is followed through names, attributes, containers, parameters
and results of the host's own functions; where that loses it, the text counts as plain.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from self_improve.host.templates import Style, TemplateUse, merged

Carried = frozenset[str]
_NOTHING: Carried = frozenset()
_FOLLOWED = (
    ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.comprehension, ast.Return, ast.Yield,
    ast.Call, ast.FunctionDef, ast.AsyncFunctionDef, ast.BinOp,
)  # fmt: skip
_ROUNDS = 4
"""How many steps a text is followed from function to function."""

_SAME_TEXT = frozenset(
    {"strip", "lstrip", "rstrip", "removesuffix", "removeprefix", "join", "dedent", "cleandoc",
     "str", "get", "values", "items", "copy", "expandtabs", "replace", "partial"}
)  # fmt: skip
_TOKEN = re.compile(
    r"\{+[^{}]+\}+|<[^<>]+>|\[[^\[\]]+\]|\$\w+|\$\{\w+\}|%+\w+%+|@+\w+@*|#+\w+#+|_{2}\w+_{2}|[A-Z][A-Z0-9_]{2,}"
)
"""What a place to be replaced looks like; other replacements clean a text."""
_REPLACED = re.compile(rb"""\.replace\(\s*["']([^"'\n]+)["']""")
_PLACE = re.compile(r"\{[^{}\n\"']*\}|%\(\w+\)|%[sdrf]|\$\{?[A-Za-z_]")
"""What a text that is filled in has at least one of."""
_LIBRARIES = {"string": Style.dollar, "jinja2": Style.jinja}


def find(
    modules: Mapping[str, ModuleType], texts: Mapping[str, str]
) -> dict[str, tuple[TemplateUse, ...]]:
    """Return how the code fills in each of `texts` (surface id to the very object), if it does."""
    code = {name: _code_of(module) for name, module in modules.items()}
    replaced = {
        token.decode("utf-8", "replace") for c in code.values() for token in _REPLACED.findall(c)
    }
    marks = [token for token in replaced if _TOKEN.fullmatch(token)]
    owners = {
        id(text): surface for surface, text in texts.items()
        if _PLACE.search(text) or any(mark in text for mark in marks)
    }  # fmt: skip
    if not owners:
        return {}
    sources = [_Source(name, module, code[name], owners) for name, module in modules.items()]
    flow = _Flow()
    for _ in range(_ROUNDS):
        before = flow.size
        for source in sources:
            source.follow(flow)
        if flow.size == before:
            break
    uses: defaultdict[str, list[TemplateUse]] = defaultdict(list)
    for source in sources:
        for surfaces, use in source.uses(flow):
            for surface in surfaces:
                uses[surface].append(use)
    return {surface: merged(of_text) for surface, of_text in uses.items()}


class _Flow:
    """What names hold which texts: locals by scope, attributes and parameters by name."""

    def __init__(self) -> None:
        self.names: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)

    @property
    def size(self) -> int:
        return sum(map(len, self.names.values()))

    def add(self, key: tuple[str, ...], surfaces: Carried) -> None:
        if surfaces:
            self.names[key] |= surfaces

    def get(self, *key: str) -> Carried:
        return frozenset(self.names.get(key, ()))


class _Source:
    """One module: its syntax tree with the scope of each node, and its values."""

    def __init__(
        self, name: str, module: ModuleType, code: bytes, owners: Mapping[int, str]
    ) -> None:
        self._name = name
        self._module = module
        self._owners = owners
        self._tree = ast.parse(code)
        self._nodes = [pair for pair in _scoped(self._tree, "") if isinstance(pair[0], _FOLLOWED)]
        self._held: dict[int, Carried] = {}

    def follow(self, flow: _Flow) -> None:
        """Note what assignments, calls, loops and results hand on."""
        for node, scope in self._nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(target, self._carried(value, scope, flow), scope, flow)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._bind(target, self._carried(value, scope, flow), scope, flow)
                case ast.NamedExpr(target=target, value=value):
                    self._bind(target, self._carried(value, scope, flow), scope, flow)
                case (
                    ast.For(target=target, iter=value)
                    | ast.comprehension(target=target, iter=value)
                ):
                    self._bind(target, self._carried(value, scope, flow), scope, flow)
                case ast.Return(value=ast.expr() as value) | ast.Yield(value=ast.expr() as value):
                    flow.add(
                        ("result", scope.rpartition(".")[2]), self._carried(value, scope, flow)
                    )
                case ast.Call():
                    self._pass_on(node, scope, flow)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._parameters(node, scope, flow)

    def uses(self, flow: _Flow) -> Iterator[tuple[Carried, TemplateUse]]:
        """Yield the places that fill in a text, and which texts come there."""
        for node, scope in self._nodes:
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
                surfaces = self._carried(node.left, scope, flow)
                if surfaces:
                    yield surfaces, TemplateUse(style=Style.percent, names=_keys(node.right))
            elif isinstance(node, ast.Call):
                yield from self._filled(node, scope, flow)

    def _filled(
        self, call: ast.Call, scope: str, flow: _Flow
    ) -> Iterator[tuple[Carried, TemplateUse]]:
        names = tuple(word.arg for word in call.keywords if word.arg)
        first = self._carried(call.args[0], scope, flow) if call.args else _NOTHING
        match call.func:
            case ast.Attribute(value=ast.Name("str"), attr="format" | "format_map") if first:
                yield first, TemplateUse(style=Style.braces, names=names)
            case ast.Attribute(value=owner, attr="format" | "format_map" as method):
                surfaces = self._carried(owner, scope, flow)
                filled = names if method == "format" else _keys(call.args[0]) if call.args else ()
                if surfaces:
                    yield surfaces, TemplateUse(style=Style.braces, names=filled)
            case ast.Attribute(value=owner, attr="replace"):
                surfaces = self._carried(owner, scope, flow)
                token = call.args[0] if call.args else None
                text = token.value if isinstance(token, ast.Constant) else None
                if surfaces and isinstance(text, str) and _TOKEN.fullmatch(text):
                    yield surfaces, TemplateUse(style=Style.token, names=(text,))
            case ast.Attribute(attr="from_template") if first:
                yield first, TemplateUse(style=Style.braces)
            case ast.Attribute(attr="from_string") if first:
                yield first, TemplateUse(style=Style.jinja)
            case ast.Name() | ast.Attribute():
                yield from self._template_class(call, scope, flow)

    def _template_class(
        self, call: ast.Call, scope: str, flow: _Flow
    ) -> Iterator[tuple[Carried, TemplateUse]]:
        """Yield the use of a class called `...Template`, by the library that it comes from."""
        name = _called(call)
        arguments = [
            *call.args[:1],
            *(word.value for word in call.keywords if word.arg == "template"),
        ]
        surfaces = frozenset(s for one in arguments for s in self._carried(one, scope, flow))
        if not name.endswith("Template") or not surfaces:
            return
        library = str(getattr(self._value(call.func), "__module__", "")).partition(".")[0]
        style = _LIBRARIES.get(library, Style.jinja if name.startswith("Rich") else Style.braces)
        if style is Style.dollar and "safe_substitute" in self._methods():
            style = Style.dollar_safe
        yield surfaces, TemplateUse(style=style)

    def _methods(self) -> set[str]:
        return {node.attr for node in ast.walk(self._tree) if isinstance(node, ast.Attribute)}

    def _bind(self, target: ast.expr, surfaces: Carried, scope: str, flow: _Flow) -> None:
        match target:
            case ast.Name(id=name):
                flow.add(("name", self._name, scope, name), surfaces)
                if scope and scope.rpartition(".")[2][:1].isupper():
                    flow.add(("attribute", name), surfaces)
            case ast.Attribute(attr=name):
                flow.add(("attribute", name), surfaces)
            case ast.Subscript(value=owner):
                self._bind(owner, surfaces, scope, flow)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._bind(part, surfaces, scope, flow)
            case ast.Starred(value=part):
                self._bind(part, surfaces, scope, flow)

    def _pass_on(self, call: ast.Call, scope: str, flow: _Flow) -> None:
        """Note which texts a call hands to the parameters of a function of that name."""
        name = _called(call)
        for index, argument in enumerate(call.args):
            flow.add(("argument", name, str(index)), self._carried(argument, scope, flow))
        for word in call.keywords:
            surfaces = self._carried(word.value, scope, flow)
            flow.add(("argument", name, word.arg or "**"), surfaces)
            # A keyword often is the field of a record that the call makes.
            if word.arg:
                flow.add(("attribute", word.arg), surfaces)

    def _parameters(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, scope: str, flow: _Flow
    ) -> None:
        arguments = [*function.args.posonlyargs, *function.args.args]
        inner = f"{scope}.{function.name}"
        called = function.name
        if called == "__init__":
            called = scope.rpartition(".")[2]
        is_method = arguments[:1] and arguments[0].arg in {"self", "cls"}
        for index, argument in enumerate(arguments[1:] if is_method else arguments):
            key = ("name", self._name, inner, argument.arg)
            flow.add(key, flow.get("argument", called, str(index)))
        for argument in (*arguments, *function.args.kwonlyargs):
            key = ("name", self._name, inner, argument.arg)
            flow.add(key, flow.get("argument", called, argument.arg))
        defaults = function.args.defaults
        pairs = [*zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)]
        pairs += [
            (a, d)
            for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
            if d
        ]
        for argument, default in pairs:
            flow.add(("name", self._name, inner, argument.arg), self._carried(default, scope, flow))

    def _carried(self, node: ast.expr | None, scope: str, flow: _Flow) -> Carried:
        """Return the surfaces whose text an expression is, or is made of."""
        if isinstance(node, ast.Name):
            return self._owned(self._value(node)) | self._local(node.id, scope, flow)
        if isinstance(node, ast.Attribute):
            return self._owned(self._value(node)) | flow.get("attribute", node.attr)
        parts = [self._carried(one, scope, flow) for one in _parts(node)]
        if isinstance(node, ast.Call):
            parts.append(flow.get("result", _called(node)))
        return _NOTHING.union(*parts)

    def _local(self, name: str, scope: str, flow: _Flow) -> Carried:
        """Return what a name holds in a scope or in one around it."""
        carried = flow.get("name", self._name, "", name)
        while scope:
            carried |= flow.get("name", self._name, scope, name)
            scope = scope.rpartition(".")[0]
        return carried

    def _value(self, node: ast.expr) -> Any:
        """Return the value of a name of the module, or of an attribute of a module or class."""
        if isinstance(node, ast.Name):
            return vars(self._module).get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            if isinstance(owner, ModuleType | type):
                return vars(owner).get(node.attr)
        return None

    def _owned(self, value: Any) -> Carried:
        """Return the surfaces whose text a value is, or holds."""
        if isinstance(value, str):
            surface = self._owners.get(id(value))
            return frozenset([surface]) if surface is not None else _NOTHING
        if not isinstance(value, dict | list | tuple):
            return _NOTHING
        if id(value) not in self._held:
            self._held[id(value)] = _NOTHING
            inner = value.values() if isinstance(value, dict) else value
            self._held[id(value)] = _NOTHING.union(*(self._owned(one) for one in inner))
        return self._held[id(value)]


def _code_of(module: ModuleType) -> bytes:
    path = getattr(module, "__file__", None) or ""
    return Path(path).read_bytes() if path.endswith(".py") else b""


def _scoped(node: ast.AST, scope: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield every node below `node` with the names of the functions and classes around it."""
    for child in ast.iter_child_nodes(node):
        yield child, scope
        inner = scope
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{scope}.{child.name}"
        yield from _scoped(child, inner)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _parts(node: ast.expr | None) -> Sequence[ast.expr]:
    """Return the expressions whose text becomes part of what an expression is."""
    match node:
        case ast.Call(func=function, args=arguments) if _called(node) in _SAME_TEXT:
            owner = [function.value] if isinstance(function, ast.Attribute) else []
            return owner if _called(node) == "replace" else [*owner, *arguments]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (left, right)
        case ast.IfExp(body=one, orelse=other):
            return (one, other)
        case ast.Dict(values=parts) | ast.BoolOp(values=parts) | ast.JoinedStr(values=parts):
            return parts
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Subscript() | ast.Starred() | ast.Await() | ast.FormattedValue() | ast.NamedExpr():
            return (node.value,)
    return ()


def _keys(node: ast.expr) -> tuple[str, ...]:
    """Return the names that a mapping gives, as far as they are written there."""
    if isinstance(node, ast.Dict):
        return tuple(
            key.value for key in node.keys
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        )  # fmt: skip
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return tuple(word.arg for word in node.keywords if word.arg)
    return ()
