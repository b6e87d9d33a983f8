"""Separates prompt and material in a request, by the form of the messages only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from model_gateway.attempt import Message

_OPEN = re.compile(r"<([a-z][a-z0-9_-]*)((?:\s+[A-Za-z_:-]+\s*=\s*\"[^\"]*\")*)\s*>")
_ATTRIBUTE = re.compile(r"([A-Za-z_:-]+)\s*=\s*\"([^\"]*)\"")
_LONGEST_EXAMPLE = 800


@dataclass(frozen=True, kw_only=True)
class Block:
    """Material between a tag and its end. `untagged` is a whole message without blocks."""

    tag: str
    text: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    untagged: bool = False


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The parsed messages of one request.

    `system` and `user` are prompt text. `tagged` says whether the material was in blocks of the
    user messages; where it was not, those messages are both material and prompt. `turns` counts
    the model's earlier replies.
    """

    system: str
    user: str
    blocks: tuple[Block, ...]
    tagged: bool
    turns: int

    def block(self, *tags: str) -> Block | None:
        """Return the first block with one of these tags."""
        return next((b for b in self.blocks if b.tag in tags), None)

    def all(self, *tags: str) -> tuple[Block, ...]:
        """Return every block with one of these tags."""
        return tuple(b for b in self.blocks if b.tag in tags)


def read(messages: Sequence[Message], *, retried: bool = False) -> Conversation:
    """Parse `messages`.

    On a retry the last two are the previous reply and the gateway's complaint about it; they are
    not part of the prompt.
    """
    turns = sum(m["role"] == "assistant" for m in messages)
    if retried and len(messages) > 1 and messages[-2]["role"] == "assistant":
        messages = messages[:-2]
    system, inner = _apart(_of(messages, "system"), longer_than=_LONGEST_EXAMPLE)
    text = _of(messages, "user")
    user, blocks = _apart(text)
    if not blocks and not inner:
        blocks = [Block(tag="", text=text, untagged=True)]
    return Conversation(
        system=system, user=user, blocks=(*inner, *blocks),
        tagged=not any(b.untagged for b in blocks), turns=turns,
    )  # fmt: skip


def _of(messages: Sequence[Message], role: str) -> str:
    return "\n\n".join(m["content"] for m in messages if m["role"] == role)


def _apart(text: str, *, longer_than: int = 0) -> tuple[str, list[Block]]:
    """Return `text` without its blocks, and the blocks that are longer than that."""
    outside: list[str] = []
    blocks: list[Block] = []
    at = 0
    for start, end, block in _blocks(text):
        if len(block.text) < longer_than:
            continue
        outside.append(text[at:start])
        at = end
        blocks.extend(_inner(block) or [block])
    outside.append(text[at:])
    return "\n\n".join(part for part in outside if part.strip()), blocks


def _blocks(text: str) -> Iterator[tuple[int, int, Block]]:
    """Yield the outermost blocks with where they start and end."""
    at = 0
    unclosed: set[str] = set()
    while opened := _OPEN.search(text, at):
        tag = opened[1]
        close = -1 if tag in unclosed else text.find(f"</{tag}>", opened.end())
        if close < 0:
            unclosed.add(tag)
            at = opened.end()
            continue
        at = close + len(tag) + 3
        attributes = dict(_ATTRIBUTE.findall(opened[2]))
        inside = text[opened.end() : close].strip()
        yield opened.start(), at, Block(tag=tag, text=inside, attributes=attributes)


def _inner(block: Block) -> list[Block]:
    """Return the blocks inside `block` if it holds nothing else, as a list of documents does."""
    blocks = list(_blocks(block.text))
    at = 0
    for start, end, _ in blocks:
        if block.text[at:start].strip():
            return []
        at = end
    return [] if block.text[at:].strip() else [inner for _, _, inner in blocks]
