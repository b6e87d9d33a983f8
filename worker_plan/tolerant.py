"""Reading what a model wrote generously: a broken item costs itself, never the whole reply."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

M = TypeVar("M", bound=BaseModel)


def whole_items(model: type[M]) -> BeforeValidator:
    """Return a validator for a list that keeps the items that are a whole `model`."""

    def keep(value: Any) -> Any:
        return [item for item in value if _fits(item, model)] if isinstance(value, list) else value

    return BeforeValidator(keep)


def _fits(item: Any, model: type[BaseModel]) -> bool:
    try:
        model.model_validate(item)
    except ValidationError:
        return False
    return True


def _lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _capitalized(value: Any) -> Any:
    return value.strip().capitalize() if isinstance(value, str) else value


def _no_text(value: Any) -> Any:
    return "" if value is None else value


def _whole_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str) and item.strip()]
    return [] if value is None else value


def _number_or_zero(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return 0


NullIsEmpty = BeforeValidator(_no_text)
"""For texts that a step can do without: some models write null where they have nothing to say."""

Texts = BeforeValidator(_whole_texts)
"""For lists of texts: what is empty or no text goes, and null is a list of none."""

RunningNumber = WrapValidator(_number_or_zero)
"""For running numbers that nobody goes by: what cannot be read as one is 0."""

AnyCase = BeforeValidator(_lowered)
"""For choices whose words are lower case: takes them however they are written."""

Capitalized = BeforeValidator(_capitalized)
"""For choices whose words begin with a capital: takes them however they are written."""
