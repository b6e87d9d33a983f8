"""Draws the rooms row by row, the imports between them, and the path of one prompt, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from tools.architecture_layout import Line, layout

WIDTH, MARGIN, TOP = 960.0, 40.0, 54.0
BOX, PITCH, PORT = 34.0, 70.0, 16.0
SHELF, BESIDE = 44.0, 16.0
LETTER, PADDING = 8.5, 28.0
STYLE = """
  .paper { fill: #ffffff; }
  .frame { fill: #f6f8fa; stroke: #d0d7de; }
  .slab { fill: #eaeef2; stroke: #d0d7de; }
  .box { fill: #ffffff; stroke: #57606a; stroke-width: 1.2; }
  .command { stroke: #8c959f; stroke-dasharray: 4 3; }
  .passed { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.6; stroke-dasharray: none; }
  .import { fill: none; stroke: #8c959f; stroke-opacity: 0.6; stroke-width: 1.1; }
  .path { fill: none; stroke: #0969da; stroke-width: 2.6; stroke-linejoin: round; }
  .end { fill: #0969da; stroke: #0969da; }
  .tip { fill: #0969da; }
  .badge { fill: #0969da; stroke: #ffffff; stroke-width: 1.5; }
  text { fill: #1f2328; font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
  .name { text-anchor: middle; }
  .number { fill: #ffffff; font-size: 11px; font-weight: 700; text-anchor: middle; }
  .words { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
  .quiet { fill: #656d76; }
  .on-end { fill: #ffffff; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    .frame { fill: #151b23; stroke: #3d444d; }
    .slab { fill: #212830; stroke: #3d444d; }
    .box { fill: #0d1117; stroke: #9198a1; }
    .command { stroke: #656c76; }
    .passed { fill: #121d2f; stroke: #4493f8; }
    .import { stroke: #9198a1; }
    .path { stroke: #4493f8; }
    .end { fill: #0969da; stroke: #0969da; }
  .tip { fill: #4493f8; }
    .badge { fill: #1f6feb; stroke: #0d1117; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .number, .on-end { fill: #ffffff; }
  }
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is drawn: rows of names, the imports between them, and the path in order.

    `inside` is the number of rows in the frame, `shared` the rows of its ground. The first and the
    last name of `path` are its ends, the others its stations; `legend` says what happens there.
    `commands` are drawn dashed, and `holds` is shown while the pointer rests on a box.
    """

    frame: str
    rows: Sequence[Sequence[str]]
    inside: int
    shared: Sequence[Sequence[str]]
    imports: Sequence[Line]
    path: Sequence[str]
    legend: Sequence[str]
    commands: frozenset[str]
    holds: Mapping[str, str]


def width_of(name: str) -> float:
    """Return the width of a box with this name in it."""
    return len(name) * LETTER + PADDING


class Drawing:
    """The places of everything in a scene, and the elements that show it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.row_of = {name: number for number, row in enumerate(scene.rows) for name in row}
        self.steps = {self._downward(step): step for step in pairwise(scene.path)}
        lines = list(dict.fromkeys([*map(self._downward, scene.imports), *self.steps]))
        sizes = {name: width_of(name) for name in self.row_of}
        layout_ = layout(scene.rows, lines, sizes, width=WIDTH - 2 * MARGIN)
        self.x = {name: MARGIN + x for name, x in layout_.x.items()}
        self.chains = layout_.chains
        self.ports = self._ports()
        self.shelves = list(self._shelves())
        self.ground = self._depth(scene.inside - 1) + BOX + 24

    def _downward(self, line: Line) -> Line:
        upper, lower = sorted(line, key=self.row_of.__getitem__)
        return upper, lower

    def _ports(self) -> dict[tuple[Line, str], float]:
        """Return where each line meets its boxes, side by side in the order they come from."""
        sides: dict[tuple[str, bool], list[tuple[float, Line]]] = {}
        for line, chain in self.chains.items():
            for name, other, is_top in ((line[0], chain[1], False), (line[1], chain[-2], True)):
                sides.setdefault((name, is_top), []).append((self.x[other], line))
        ports = {}
        for (name, _), ends in sides.items():
            step = min(PORT, (width_of(name) - 20) / max(1, len(ends) - 1))
            for number, (_, line) in enumerate(sorted(ends)):
                ports[line, name] = self.x[name] + step * (number - (len(ends) - 1) / 2)
        return ports

    def _depth(self, row: int) -> float:
        """Return the upper edge of a row's boxes."""
        is_below = row >= self.scene.inside
        return TOP + PITCH * row + (SHELF * len(self.shelves) + 20 if is_below else 0)

    def _shelves(self) -> Iterator[list[tuple[str, float]]]:
        """Yield the rows of the ground, with middles, on the side where most room is."""
        edge = self.scene.inside
        passing = [
            self.x[point]
            for line, chain in self.chains.items()
            for point in chain[edge - 1 - self.row_of[line[0]] :][:2]
            if self.row_of[line[0]] < edge <= self.row_of[line[1]]
        ]
        left, right = min(passing) - 24, max(passing) + 24
        self.is_left = left - 28 >= WIDTH - 28 - right
        start, end = (28.0, left) if self.is_left else (right, WIDTH - 28)
        for row in self.scene.shared:
            shelf: list[tuple[str, float]] = []
            x = start
            for name in row:
                if shelf and x + width_of(name) > end:
                    yield shelf
                    shelf, x = [], start
                shelf.append((name, x + width_of(name) / 2))
                x += width_of(name) + BESIDE
            yield shelf

    def svg(self) -> str:
        """Return the picture."""
        bottom = self._depth(len(self.scene.rows) - 1) + BOX
        half = -(-len(self.scene.legend) // 2)
        height = bottom + 42 + 25 * half
        size = f'width="{WIDTH:.0f}" height="{height:.0f}"'
        by_path = sorted(self.chains, key=self.steps.__contains__)
        elements = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" {size}>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" {size} rx="8"/>',
            *self._frame(),
            *(self._line(line) for line in by_path),
            *(self._box(name, self.x[name], self._depth(row)) for name, row in self.row_of.items()),
            *self._badges(),
            *self._legend(bottom + 40, half),
            "</svg>",
        ]
        return "\n".join(elements) + "\n"

    def _frame(self) -> Iterator[str]:
        """Yield the frame of the rooms, and its ground with what all of them share."""
        depth = SHELF * len(self.shelves)
        rect = f'x="14" width="{WIDTH - 28:.0f}" rx="8"'
        yield f'<rect class="frame" y="14" height="{self.ground + depth - 14:.0f}" {rect}/>'
        yield f'<rect class="slab" y="{self.ground:.0f}" height="{depth:.0f}" {rect}/>'
        yield f'<text class="quiet" x="28" y="38">{self.scene.frame}/</text>'
        x, anchor = (WIDTH - 28, "end") if self.is_left else (28, "start")
        yield (
            f'<text class="quiet words" x="{x:.0f}" y="{self.ground + depth / 2 + 5:.0f}" '
            f'text-anchor="{anchor}">shared by all rooms</text>'
        )
        for number, shelf in enumerate(self.shelves):
            for name, middle in shelf:
                yield self._box(name, middle, self.ground + SHELF * number + (SHELF - BOX) / 2)

    def _box(self, name: str, x: float, y: float) -> str:
        """Return a box with its name."""
        path, is_end = self.scene.path, name in {self.scene.path[0], self.scene.path[-1]}
        kinds = {
            "command": name in self.scene.commands, "passed": name in path, "end": is_end
        }  # fmt: skip
        kind = " ".join(["box", *(kind for kind, holds in kinds.items() if holds)])
        hint = self.scene.holds.get(name)
        return "".join(
            [
                "<g>",
                f"<title>{escape(hint)}</title>" if hint else "",
                f'<rect class="{kind}" x="{x - width_of(name) / 2:.1f}" y="{y:.1f}" '
                f'width="{width_of(name):.1f}" height="{BOX:.0f}" rx="6"/>',
                f'<text class="name{" on-end" if is_end else ""}" x="{x:.1f}" '
                f'y="{y + BOX / 2 + 5:.1f}">{name}</text></g>',
            ]
        )

    def _line(self, line: Line) -> str:
        """Return a line between two boxes, with a tip where the path goes along it."""
        step = self.steps.get(line)
        start, end = line
        if step and self.row_of[start] == self.row_of[end]:
            return self._level(*step)
        chain, top = self.chains[line], self.row_of[start]
        x = [
            self.ports[line, start],
            *(self.x[bend] for bend in chain[1:-1]),
            self.ports[line, end],
        ]
        drawn = [f"M{x[0]:.1f},{self._depth(top) + BOX:.1f}"]
        for number, (one, other) in enumerate(pairwise(x), start=top):
            above, below = self._depth(number) + BOX, self._depth(number + 1)
            middle = (above + below) / 2
            drawn.append(
                f"C{one:.1f},{middle:.1f} {other:.1f},{middle:.1f} {other:.1f},{below:.1f}"
            )
            drawn.append(f"V{below + BOX:.1f}")
        curve = " ".join(drawn).rpartition(" V")[0]
        if step is None:
            return f'<path class="import" d="{curve}"/>'
        tip = (
            _tip(x[-1], self._depth(self.row_of[end]), 0, -1)
            if step == line
            else _tip(x[0], self._depth(top) + BOX, 0, 1)
        )
        return f'<path class="path" d="{curve}"/>{tip}'

    def _level(self, start: str, end: str) -> str:
        """Return the path between two boxes of one row."""
        side = 1 if self.x[end] > self.x[start] else -1
        y = self._depth(self.row_of[start]) + BOX / 2
        one = self.x[start] + side * width_of(start) / 2
        other = self.x[end] - side * width_of(end) / 2
        return f'<path class="path" d="M{one:.1f},{y:.1f} H{other:.1f}"/>{_tip(other, y, -side, 0)}'

    def _badges(self) -> Iterator[str]:
        """Yield the number of each station, at the corner of its box."""
        for number, name in enumerate(self.scene.path[1:-1], start=1):
            yield _badge(number, self.x[name] - width_of(name) / 2, self._depth(self.row_of[name]))

    def _legend(self, top: float, half: int) -> Iterator[str]:
        """Yield what happens at each station, in two columns."""
        for index, happens in enumerate(self.scene.legend):
            column, row = divmod(index, half)
            x, y = 34 + column * (WIDTH / 2 - 10), top + 25 * row
            yield _badge(index + 1, x, y)
            yield (
                f'<text class="words" x="{x + 18:.0f}" y="{y + 5:.0f}"><tspan font-weight="600">'
                f"{self.scene.path[index + 1]}</tspan> {escape(happens)}</text>"
            )


def _badge(number: int, x: float, y: float) -> str:
    return (
        f'<circle class="badge" cx="{x:.1f}" cy="{y:.1f}" r="10"/>'
        f'<text class="number" x="{x:.1f}" y="{y + 4:.1f}">{number}</text>'
    )


def _tip(x: float, y: float, dx: int, dy: int) -> str:
    """Return an arrow's tip at a point; the line comes from the direction (dx, dy)."""
    corners = [(x + 9 * dx + side * dy, y + 9 * dy + side * dx) for side in (4.5, -4.5)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in ((x, y), *corners))
    return f'<polygon class="tip" points="{points}"/>'
