"""An error that a setting would mend names the setting."""

from __future__ import annotations

from typing import Any

import pytest

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.providers.remedies import remedy_for
from tests.model_gateway.providers.conftest import Ask, entry
from tests.wire import Status, WireServer

HOT = {"arguments": {"temperature": 0.7}}
MCT = {"options": {"max_tokens_parameter": "max_completion_tokens"}}
CONSTRAIN = {"structured": "prompt", "options": {"constrain": True}}


def model(**settings: Any) -> Model:
    """Return an entry with these settings."""
    values = {"name": "m", "provider": "openai", "model_id": "m-1", **settings}
    return Model.model_validate(values)


@pytest.mark.parametrize(
    ("message", "settings", "setting"),
    [
        ("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {},
         'max_tokens_parameter = "max_completion_tokens"'),
        ("Unrecognized argument: max_completion_tokens", MCT, '= "max_tokens"'),
        ("max_tokens is too large: 90000. At most 16384 are supported", {}, "max_output_tokens"),
        ("max_tokens: 90000 > 8192, the maximum", {"provider": "anthropic"}, "max_output_tokens"),
        ("'response_format.type' must be 'text'", {}, 'structured = "prompt"'),
        ("json_schema is not available for this model", {}, 'structured = "prompt"'),
        ("response_format: Input should be 'text'", {}, 'structured = "prompt"'),
        ("output_config: Extra inputs are not permitted", {"provider": "anthropic"},
         'structured = "prompt"'),
        ("failed to load the vocabulary required for format", {"provider": "ollama"},
         'structured = "prompt"'),
        ("failed to parse grammar", CONSTRAIN, "constrain = false"),
        ("failed to parse grammar", {"structured": "prompt", "local": True}, "constrain = false"),
        ("json_object is not supported", {"structured": "prompt", "options": {"json_mode": True}},
         "remove json_mode"),
        ("Invalid schema for response_format 'Reply': 'additionalProperties' is required", {},
         "strict = true"),
        ("Unsupported value: 'temperature' does not support 0.7", HOT,
         "remove temperature from [arguments]"),
        ("temperature is deprecated for this model", HOT, "remove temperature from [arguments]"),
        ("seed: Extra inputs are not permitted", {"sends_seed": True}, "sends_seed = false"),
        ("System role not supported", {}, "fold_system = true"),
        ("Developer instruction is not enabled for this model", {}, "fold_system = true"),
        ("Conversation roles must alternate user/assistant", {}, "fold_system = true"),
        ("Only user and assistant roles are supported!", {}, "fold_system = true"),
        ("Unexpected role 'system'", {"provider": "ollama"}, "fold_system = true"),
    ],
)  # fmt: skip
def test_setting_that_helps_is_named(message: str, settings: dict[str, Any], setting: str) -> None:
    """Whatever the server's words, the advice is one setting to change."""
    assert setting in remedy_for(message, model(**settings))


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("Incorrect API key provided", HOT),
        ("The model does not exist", HOT),
        ("The system is not available right now", {}),
        ("System role not supported", {"options": {"fold_system": True}}),
        ("System role not supported", {"provider": "llama_index"}),
        ("temperature is not supported", {}),
        ("seed is not supported", {}),
        ("json_schema is not supported", {"structured": "prompt"}),
        ("Use 'max_completion_tokens', max_tokens is not supported", {"provider": "anthropic"}),
    ],
)
def test_no_setting_is_named_that_would_not_help(message: str, settings: dict[str, Any]) -> None:
    """What the entry does not do, or already does, would not help."""
    assert remedy_for(message, model(**settings)) == ""


@pytest.mark.parametrize(
    ("wire", "code"), [("openai", 400), ("anthropic", 400), ("ollama", 400), ("openai", 500)]
)
def test_advice_follows_the_servers_words(wire: str, code: int, ask: Ask) -> None:
    """The failure of the attempt ends with it, within the bound on a message."""
    words = "The system role is not supported for this model. " + "More words. " * 40
    with WireServer(wire, Status(code=code, message=words)) as server:
        row = ask(entry(wire, server, max_attempts=1)).row
    assert row.failure_kind is (FailureKind.server if code == 500 else FailureKind.configuration)
    assert (row.failure_message or "").endswith("; set fold_system = true under [options]")
    assert len(row.failure_message or "") <= 300
