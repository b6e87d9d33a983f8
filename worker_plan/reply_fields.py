"""Field types of replies that read generously: a broken item is dropped, not the whole reply."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

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


Text = Annotated[str, BeforeValidator(_no_text)]
"""An optional text: some models write null where they have nothing to say."""

Texts = Annotated[list[str], BeforeValidator(_whole_texts)]
"""A list of texts: empty items and items of other types are dropped; null is an empty list."""

RunningNumber = Annotated[int, WrapValidator(_number_or_zero)]
"""A running number that no step relies on: 0 if it is not a number."""

AnyCase = BeforeValidator(_lowered)
"""For choices in lower case: accepts them in any case."""

Capitalized = BeforeValidator(_capitalized)
"""For choices that begin with a capital: accepts them in any case."""
