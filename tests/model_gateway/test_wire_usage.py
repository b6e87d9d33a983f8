"""What servers say about tokens and money is read where it makes sense, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from model_gateway.wire_usage import CompletionUsage, MessageUsage, TokenCounts


def counts(read: int | None, wrote: int | None, **more: int) -> TokenCounts:
    """Return token counts."""
    return TokenCounts(input_tokens=read, output_tokens=wrote, **more)


PLAIN = {"prompt_tokens": 1000, "completion_tokens": 200}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (PLAIN, counts(1000, 200)),
        ({**PLAIN, "total_tokens": 1200}, counts(1000, 200)),
        ({**PLAIN, "total_tokens": 5200}, counts(1000, 4200, thinking=4000)),
        (
            {
                **PLAIN,
                "total_tokens": 5200,
                "completion_tokens_details": {"reasoning_tokens": 4000},
            },
            counts(1000, 4200, thinking=4000),
        ),
        (
            {**PLAIN, "total_tokens": 1200, "completion_tokens_details": {"reasoning_tokens": 150}},
            counts(1000, 200, thinking=150),
        ),
        (
            {**PLAIN, "completion_tokens_details": {"reasoning_tokens": 4000}},
            counts(1000, 4200, thinking=4000),
        ),
        (
            {**PLAIN, "total_tokens": 1200, "reasoning_tokens": 4000},
            counts(1000, 4200, thinking=4000),
        ),
        ({**PLAIN, "total_tokens": 900}, counts(1000, 200)),
        ({**PLAIN, "total_tokens": -1}, counts(1000, 200)),
        ({"prompt_tokens": 1000, "total_tokens": 1200}, counts(1000, 200)),
        ({"total_tokens": 1200}, counts(None, None)),
        ({"prompt_tokens": "1000", "completion_tokens": "200"}, counts(1000, 200)),
        ({"prompt_tokens": "many", "completion_tokens": 200}, counts(None, 200)),
        ({"prompt_tokens": -1000, "completion_tokens": True}, counts(None, None)),
        ({"prompt_tokens": None, "completion_tokens": 1e300}, counts(None, None)),
        (
            {**PLAIN, "prompt_tokens_details": {"cached_tokens": 900}},
            counts(1000, 200, cached=900),
        ),
        (
            {**PLAIN, "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 400}},
            counts(1000, 200, cached=300, written=400),
        ),
        ({**PLAIN, "prompt_cache_hit_tokens": 900}, counts(1000, 200, cached=900)),
        ({**PLAIN, "cached_tokens": 900}, counts(1000, 200, cached=900)),
        (
            {**PLAIN, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 400},
            counts(1000, 200, cached=300, written=400),
        ),
        (
            {**PLAIN, "prompt_tokens_details": {"cached_tokens": 9000}},
            counts(10_000, 200, cached=9000),
        ),
        (
            {**PLAIN, "total_tokens": 1200, "prompt_tokens_details": {"cached_tokens": 9000}},
            counts(10_000, 200, cached=9000),
        ),
        (
            {**PLAIN, "total_tokens": 10_200, "prompt_tokens_details": {"cached_tokens": 9000}},
            counts(10_000, 200, cached=9000),
        ),
        ({**PLAIN, "prompt_tokens_details": {"cached_tokens": -5}}, counts(1000, 200)),
        ({**PLAIN, "prompt_tokens_details": [1]}, counts(1000, 200)),
    ],
)
def test_tokens_of_the_openai_format(usage: dict[str, Any], expected: TokenCounts) -> None:
    """The total counts what was hidden; cached tokens are a part of the input."""
    assert CompletionUsage.model_validate(usage).counts == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 1000, "output_tokens": 200}, counts(1000, 200)),
        (
            {"input_tokens": 1000, "cache_read_input_tokens": 9000,
             "cache_creation_input_tokens": 500, "output_tokens": 200},
            counts(10_500, 200, cached=9000, written=500),
        ),
        (
            {"input_tokens": "1000", "cache_read_input_tokens": -9, "output_tokens": 200,
             "output_tokens_details": {"thinking_tokens": 50}},
            counts(1000, 200, thinking=50),
        ),
        ({"cache_read_input_tokens": 9000, "output_tokens": 200}, counts(None, 200, cached=9000)),
    ],
)  # fmt: skip
def test_tokens_of_the_anthropic_format(usage: dict[str, Any], expected: TokenCounts) -> None:
    """Cached tokens stand beside the input, and are added to it."""
    assert MessageUsage.model_validate(usage).counts == expected


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": "0.25"}, 0.25),
        ({"cost": {"total_cost": 0.25, "input_tokens_cost": 0.1}}, 0.25),
        ({"estimated_cost": 0.25}, 0.25),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.24}}, 0.25),
        ({"cost": 0.25, "cost_details": {"upstream_inference_cost": 0.25}}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "much"}, None),
        ({"cost": float("nan")}, None),
        ({}, None),
    ],
)
def test_cost_that_a_server_reports(usage: dict[str, Any], dollars: float | None) -> None:
    """It may be a number, a text or an object, and nonsense is passed over."""
    reported = CompletionUsage.model_validate(usage).dollars
    assert reported == (None if dollars is None else pytest.approx(dollars))
