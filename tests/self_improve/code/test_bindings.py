"""What sets a module's name: every way of Python counts, and nothing else does."""

from __future__ import annotations

import ast

import pytest

from self_improve.code.bindings import lines_that_set
from self_improve.code.prompt_literal import replaced
from self_improve.errors import UsageError

BOUND_AGAIN = [
    "P = 'a'\ntry:\n    pass\nexcept E as P:\n    pass\n",
    "P = 'a'\ntry:\n    pass\nexcept* E as P:\n    pass\n",
    "P = 'a'\nmatch x:\n    case P:\n        pass\n",
    "P = 'a'\nmatch x:\n    case [*P]:\n        pass\n",
    "P = 'a'\nmatch x:\n    case {**P}:\n        pass\n",
    "P = 'a'\nmatch x:\n    case {'k': P}:\n        pass\n",
    "P = 'a'\nmatch x:\n    case C(P):\n        pass\n",
    "P = 'a'\nmatch x:\n    case C(k=P):\n        pass\n",
    "P = 'a'\nmatch x:\n    case 1 as P:\n        pass\n",
    "P = 'a'\nmatch x:\n    case (1, [P]):\n        pass\n",
    "P = 'a'\nmatch x:\n    case (1 | 2) as P:\n        pass\n",
    "P = 'a'\n*P, b = x\n",
    "P = 'a'\n[*P] = x\n",
    "P = 'a'\n(b, (c, P)) = x\n",
    "P = 'a'\nfor P in x:\n    pass\n",
    "P = 'a'\nfor (a, *P) in x:\n    pass\n",
    "P = 'a'\nasync def f():\n    global P\n    async for P in x:\n        pass\n",
    "P = 'a'\nwith x as P:\n    pass\n",
    "P = 'a'\nwith x as (a, P):\n    pass\n",
    "P = 'a'\nprint(P := 'b')\n",
    "P = 'a'\n[(P := y) for y in x]\n",
    "P = 'a'\ndef f():\n    global P\n    [(P := y) for y in x]\n",
    "P = 'a'\n[[(P := y) for y in z] for z in x]\n",
    "P = 'a'\nany((P := y) for y in x)\n",
    "P = 'a'\nimport x as P\n",
    "P = 'a'\nimport P\n",
    "P = 'a'\nimport P.b\n",
    "P = 'a'\nfrom x import P\n",
    "P = 'a'\nfrom x import y as P\n",
    "P = 'a'\ndef P():\n    pass\n",
    "P = 'a'\nclass P:\n    pass\n",
    "P = 'a'\ndef f():\n    global P\n    P = 'b'\n",
    "P = 'a'\ndef f():\n    global Q, P\n    P += 'b'\n",
    "P = 'a'\ndef f():\n    global P\n    del P\n",
    "P = 'a'\ndef f():\n    global P\n    def P(): pass\n",
    "P = 'a'\ndef f():\n    global P\n    class P: pass\n",
    "P = 'a'\ndef f():\n    global P\n    import P\n",
    "P = 'a'\ndef f():\n    global P\n    try: pass\n    except E as P: pass\n",
    "P = 'a'\ndef f():\n    global P\n    match x:\n        case P: pass\n",
    "P = 'a'\ndef f():\n    global P\n    match x:\n        case [*P]: pass\n",
    "P = 'a'\ndef f():\n    global P\n    for P in x: pass\n",
    "P = 'a'\nclass C:\n    global P\n    P = 'b'\n",
    "P = 'a'\ndef f():\n    def g():\n        global P\n        P = 'b'\n",
    "P = 'a'\ndel P\n",
    "P = 'a'\ndel (b, P)\n",
    "P = 'a'\ndel [P]\n",
    "P = 'a'\nP += 'b'\n",
    "P = 'a'\nP: str = 'b'\n",
    "P = 'a'\nif x:\n    P = 'b'\n",
    "P = 'a'\ndef f(a=(P := 'b')):\n    pass\n",
    "P = 'a'\nlambda a=(P := 'b'): 1\n",
    "P = 'a'\n@(P := x)\ndef f(): pass\n",
    "P = 'a'\nclass C(x, k=(P := 'b')): pass\n",
    "P = Q = 'a'\n",
    "P, Q = 'a', 'b'\n",
    "P = 'a'\ndef f(a: (P := int)):\n    pass\n",
    "P = 'a'\nfor x.y[P := 1] in z: pass\n",
    "P = 'a'\ndef f():\n    global P\n    with x as P: pass\n",
    "P = 'a'\ndef f():\n    global P\n    [P for P in x]\n    (P := 1)\n",
    "P = 'a'\ndef f():\n    global P\n    match x:\n        case {**P}: pass\n",
    "P = 'a'\nP = 'b'\n",
    "P = 'a'\nwhile P := x(): pass\n",
    "P = 'a'\n\n\ndef f():\n    global P\n    P: str = 'b'\n",
]
BOUND_ONCE = [
    "P = 'a'\ndef f():\n    P = 'b'\n",
    "P = 'a'\ndef f(P):\n    pass\n",
    "P = 'a'\nlambda P: P\n",
    "P = 'a'\n[P for P in x]\n",
    "P = 'a'\n{P: 1 for P in x}\n",
    "P = 'a'\n(P for P in x)\n",
    "P = 'a'\nclass C:\n    P = 'b'\n",
    "P = 'a'\nmatch x:\n    case a.P:\n        pass\n",
    "P = 'a'\nmatch x:\n    case C(P=1):\n        pass\n",
    "P = 'a'\nx.P = 1\n",
    "P = 'a'\nf(P=1)\n",
    "P = 'a'\nimport x.P\n",
    "P = 'a'\nfrom x import P as Q\n",
    "P = 'a'\ndef f():\n    global P\n    print(P)\n",
    "P = 'a'\ndef f():\n    P = 1\n    def g():\n        nonlocal P\n        P = 2\n",
    "P: str\nP = 'a'\n",
    "P: str = 'a'\n",
    "P = 'a'\ndef f():\n    match x:\n        case P: pass\n",
    "P = 'a'\ndef f():\n    try: pass\n    except E as P: pass\n",
    "P = 'a'\ndef f():\n    (P := 1)\n",
    "P = 'a'\nlambda: (P := 1)\n",
    "P = 'a'\ndef f():\n    [(P := y) for y in x]\n",
    "P = 'a'\nclass C:\n    def P(self): pass\n",
    "P = 'a'\nP[0] = 1\n",
    "P = 'a'\ndel P[0], P.x\n",
    "P = 'a'\ndel x[P]\n",
    "P = 'a'\nfor x[P] in y: pass\n",
    "P = 'a'\ndef f():\n    del P\n",
    "P = 'a'\ndef f():\n    for P in x: pass\n    with y as P: pass\n    import P\n",
    "P = 'a'\nwith x as y.P: pass\n",
    "P = 'a'\nclass C:\n    def f(self):\n        self.P = 1\n",
    "P = 'a'\nfrom x import *\n",
]


@pytest.mark.parametrize("source", BOUND_AGAIN)
def test_name_that_is_bound_again_is_noticed(source: str) -> None:
    """A text that is put into the first place might not be what is sent."""
    with pytest.raises(UsageError, match=r"several places|together with other names"):
        replaced(source.encode(), "P", "new")


@pytest.mark.parametrize("source", BOUND_ONCE)
def test_name_of_another_scope_is_no_obstacle(source: str) -> None:
    """A local of the same name, an attribute or a keyword changes nothing in the module."""
    ast.parse(source)
    assert b"new" in replaced(source.encode(), "P", "new")


def test_every_line_is_named() -> None:
    """In their order, also where a function declares the name global."""
    source = "P = 1\ndef f():\n    global P\n    P = 2\nfor P in x:\n    pass\n"
    assert lines_that_set("P", ast.parse(source)) == [1, 4, 5]
