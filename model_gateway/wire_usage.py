"""Reads what servers say about tokens and money, and passes over what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator


def or_none(value: Any, read: Callable[[Any], Any]) -> Any:
    """Return what `read` makes of a value, or None of one that makes no sense."""
    try:
        return read(value)
    except ValidationError:
        return None


def _number(value: Any) -> Any:
    return None if isinstance(value, bool) else value


def _amount(value: Any) -> Any:
    """Return a cost that stands in an object with its parts, as some servers send it."""
    return _number(value.get("total_cost") if isinstance(value, dict) else value)


# Usage that makes no sense is ignored; the reply counts either way.
Count = Annotated[
    int | None, Field(ge=0, le=10**9), BeforeValidator(_number), WrapValidator(or_none)
]
Dollars = Annotated[
    float | None, Field(ge=0, le=1e6), BeforeValidator(_amount), WrapValidator(or_none)
]


class WireModel(BaseModel):
    """A part of a reply; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


@dataclass(frozen=True, kw_only=True)
class TokenCounts:
    """The tokens of one reply, None where they were not reported.

    `input_tokens` holds those that were read from a cache of the server (`cached`) and those that
    were written to one (`written`); `output_tokens` holds the hidden ones (`thinking`).
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    thinking: int | None = None
    cached: int | None = None
    written: int | None = None


class _PromptDetails(WireModel):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None


class _CompletionDetails(WireModel):
    reasoning_tokens: Count = None


class _CostDetails(WireModel):
    upstream_inference_cost: Dollars = None


class CompletionUsage(WireModel):
    """The usage in a reply of the OpenAI format, with the fields of servers that imitate it."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    reasoning_tokens: Count = None
    cached_tokens: Count = None
    prompt_cache_hit_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    prompt_tokens_details: Annotated[_PromptDetails | None, WrapValidator(or_none)] = None
    completion_tokens_details: Annotated[_CompletionDetails | None, WrapValidator(or_none)] = None
    cost: Dollars = None
    estimated_cost: Dollars = None
    is_byok: Any = None
    cost_details: Annotated[_CostDetails | None, WrapValidator(or_none)] = None

    @property
    def dollars(self) -> float | None:
        """The cost that the server reports, with what a key of the user's own is billed for."""
        cost = self.estimated_cost if self.cost is None else self.cost
        upstream = self.cost_details.upstream_inference_cost if self.cost_details else None
        return (cost or 0.0) + upstream if self.is_byok is True and upstream else cost

    @property
    def counts(self) -> TokenCounts:
        """The tokens. What the total counts beside the prompt was written, shown or not.

        More cached tokens than there are in the prompt are counted beside it, and so are more
        tokens of reasoning than were written.
        """
        cached, written = self._cached, self._written
        thinking = self.completion_tokens_details
        thought = thinking.reasoning_tokens if thinking else None
        thought = self.reasoning_tokens if thought is None else thought
        read, wrote = self.prompt_tokens, self.completion_tokens
        beside = (cached or 0) + (written or 0)
        if read is not None and beside > read:
            read += beside
        if read is not None and self.total_tokens is not None and self.total_tokens > read:
            hidden = self.total_tokens - read - (wrote or 0)
            if wrote is None or hidden > 0:
                thought = thought if wrote is None else max(thought or 0, hidden)
                wrote = self.total_tokens - read
        if wrote is not None and thought is not None and thought > wrote:
            wrote += thought
        return TokenCounts(
            input_tokens=read, output_tokens=wrote, thinking=thought, cached=cached, written=written
        )

    @property
    def _cached(self) -> int | None:
        """The tokens read from a cache: OpenAI's field, or the one of a server that has another."""
        details = self.prompt_tokens_details or _PromptDetails()
        named = (
            details.cached_tokens, self.cached_tokens, self.prompt_cache_hit_tokens,
            self.cache_read_input_tokens,
        )  # fmt: skip
        return next((count for count in named if count is not None), None)

    @property
    def _written(self) -> int | None:
        details = self.prompt_tokens_details or _PromptDetails()
        named = (details.cache_write_tokens, details.cache_creation_tokens)
        return next(filter(None, named), self.cache_creation_input_tokens)


class _ThinkingDetails(WireModel):
    thinking_tokens: Count = None


class MessageUsage(WireModel):
    """The usage in a reply of the Anthropic format, which counts cached tokens beside the input."""

    input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    output_tokens: Count = None
    output_tokens_details: Annotated[_ThinkingDetails | None, WrapValidator(or_none)] = None
    cost: Dollars = None

    @property
    def counts(self) -> TokenCounts:
        """The tokens, with the cached ones among the input."""
        cached, written = self.cache_read_input_tokens, self.cache_creation_input_tokens
        read, details = self.input_tokens, self.output_tokens_details
        return TokenCounts(
            input_tokens=None if read is None else read + (cached or 0) + (written or 0),
            output_tokens=self.output_tokens,
            thinking=details.thinking_tokens if details else None,
            cached=cached,
            written=written,
        )
