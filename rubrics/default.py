"""A rubric for a step that has none, derived from what the step asks and writes.

The words in field names are never used: the response schema and an example of what the step wrote
show what is a name, a long text, a list or a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rubrics.errors import RubricError
from rubrics.rubric import (
    Constraint,
    Fitness,
    Gates,
    MetricUse,
    Quantity,
    Question,
    Rubric,
    Source,
)
from rubrics.shapes import Shape, cleaned, of_schema, stored_reply

WHY = """\
Derived from the response schema and from an example, because nobody has written down what good
means for this step. It watches what is bad anywhere: items that repeat each other, empty or broken
off fields, placeholders, patterns that the prompt imposes, figures that the plan does not hold,
another language than the plan's, and texts that grow. Write rubrics/{step}.yaml to say more."""

MINIMAL_EFFECT = 0.25
"""The prior of most steps, whose noise nobody measured (see docs/rubrics.md)."""

LONG, SHORT = 60, 80
"""Characters: a text of at least `LONG` is prose, one of at most `SHORT` can be a name."""


def derive(
    step: str,
    *,
    schema: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Any] | None = None,
) -> Rubric:
    """Return a rubric for `step`.

    `schema` is the JSON schema of its replies. `artifacts` are examples of what it wrote, by name:
    JSON values, or a text for an artifact that is not JSON.

    Raises:
        RubricError: neither holds any text.
    """
    examples = dict(artifacts or {})
    asked = of_schema(schema) if schema is not None else None
    name, clean = cleaned(examples)
    raw_name, raw = stored_reply(examples)
    replies = asked or raw
    if clean is None and replies is None:
        raise RubricError(
            f"No rubric can be derived for {step}: there is no response schema and no artifact "
            f"with text. Write rubrics/{step}.yaml."
        )
    if clean is None or name is None:
        name, clean = raw_name, raw
    source = Source(artifact=name, items=clean.items) if clean and name else None
    reply_source = (
        Source(
            artifact=raw_name or name or f"{step}_raw.json",
            replies=raw.replies if raw is not None else "",
            items=replies.items,
        )
        if replies is not None
        else None
    )
    shape = clean or replies
    if shape is None:
        raise AssertionError("One of them is there.")
    name_field = _name_of(shape)
    return Rubric(
        step=step,
        version=1,
        why=WHY.format(step=step),
        clean=source,
        replies=reply_source,
        name_field=name_field,
        quantity=Quantity(required=tuple(f.path for f in shape.fields if f.path)),
        metrics=tuple(_uses(shape, replies, name_field, is_clean=source is not None)),
        minimal_effect=MINIMAL_EFFECT,
        gates=Gates(model_drop=4 * MINIMAL_EFFECT, plan_drop=4 * MINIMAL_EFFECT),
        constraints=(Constraint(text="No wording of the prompt that fits one language only"),),
        questions=(
            Question(id="useful", text="Does the output do what the step is for, for this plan?"),
            Question(id="specific", text="Could it stand in another plan unchanged? 1 means yes."),
            Question(id="grounded", text="Does it follow from the plan, and invent nothing?"),
        ),
        fitness=Fitness(),
    )


def _uses(shape: Shape, replies: Shape | None, name: str, *, is_clean: bool) -> Iterator[MetricUse]:
    of = "clean" if is_clean else "replies"

    def use(
        metric: str, fields: Sequence[str], weight: float, scale: float, **more: Any
    ) -> MetricUse:
        settings = {"of": of, "direction": "lower", **more}
        return MetricUse(
            metric=metric, fields=tuple(fields), weight=weight, scale=scale, **settings
        )

    every = tuple(field.path for field in shape.texts if field.path)
    prose = tuple(
        field.path for field in shape.texts
        if field.path and (field.length is None or field.length >= LONG) and field.path != name
    ) or every  # fmt: skip
    lists = tuple(field.path for field in shape.texts if field.is_list)
    classes = tuple(field.path for field in shape.fields if field.is_class)
    if shape.is_list:
        if name:
            yield use("duplicate_names", (name,), 0.08, 0.03)
        yield use("near_duplicates", prose, 0.12, 0.02)
    if shape.fields and shape.fields[0].path:
        yield use("empty_fields", [field.path for field in shape.fields], 0.08, 0.02)
    yield use("placeholders", every, 0.06, 0.01)
    yield use("truncation", prose, 0.03, 0.02)
    if lists:
        yield use("leaked_labels", lists, 0.03, 0.02)
    yield use("ungrounded_percentages", every, 0.10, 0.05)
    yield use("ungrounded_numbers", every, 0.05, 0.05)
    yield use("template_lock", prose, 0.08, 0.012)
    yield use("prompt_copying", prose, 0.05, 0.01)
    yield use("opener_lock", prose, 0.08, 0.06)
    # Rare in sound outputs, so small changes count, and they outweigh what a damage improves.
    yield use("other_language", every, 0.04, 0.005)
    yield use("plan_words", every, 0.03, 0.015, direction="higher")
    yield use("foreign_items", every, 0.025, 0.005)
    if shape.is_list:
        yield use("uneven_lengths", prose, 0.03, 0.005)
    if is_clean:
        yield use("length_ratio", prose, 0.08, 0.02, parameters={"low": 0.7, "high": 1.4})
        yield use("open_ends", prose, 0.02, 0.01)
        yield use("lost_items", (), 0.03, 0.01)
    yield use("script_match", every, 0.0, 0.02, direction="higher")
    yield use("language_match", every, 0.0, 0.02, direction="higher")
    yield use("distinct_bigrams", prose, 0.0, 0.016, direction="higher")
    if classes:
        yield use("class_entropy", classes[:1], 0.0, 0.05, direction="higher")
    if is_clean and replies is not None and shape.is_list:
        yield use("kept", (), 0.0, 0.05, direction="higher")
    yield from _costs()


def _costs() -> Iterator[MetricUse]:
    for metric, scale in (
        ("prompt_chars", 200), ("input_tokens", 500), ("output_tokens", 500), ("cost", 0.001),
        ("latency", 5), ("retries", 0.3),
    ):  # fmt: skip
        yield MetricUse(metric=metric, of="cell", scale=scale)


def _name_of(shape: Shape) -> str:
    """Return the path of what looks most like a name: short, and different in every item."""
    if not shape.is_list:
        return ""
    measured = [f for f in shape.texts if f.length is not None and not f.is_list and f.path]
    short = [f for f in measured if f.length is not None and f.length <= SHORT and f.distinct > 0.5]
    if short:
        return min(short, key=lambda field: (field.distinct < 0.9, field.length)).path
    single = [f for f in shape.texts if not f.is_list and f.path and f.length is None]
    return single[0].path if single else ""
