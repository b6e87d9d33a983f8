"""llama-index at the doors: its OpenAI-like integration over HTTP, and the gateway's own LLM."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.program.utils import get_program_for_llm
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field, ValidationError

from model_gateway.call import FailureKind
from model_gateway.door import VARIABLE
from model_gateway.errors import DoorError, GatewayError
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.journal import read_attempts
from model_gateway.llama_index import CallFailedError, GatewayLLM
from tests.model_gateway.conftest import Fruit, MakeCaller, Scripted, a_model, built_from

T = TypeVar("T")
GOOD = '{"name": "fig", "seeds": [1, 2]}'
FRUIT = Fruit(name="fig", seeds=[1, 2])
MESSAGES = [
    ChatMessage(role=MessageRole.SYSTEM, content="You know {fruits}."),
    ChatMessage(role=MessageRole.USER, content='Name one, not {"name": "plum"}.'),
]
TEMPLATE = "Name a fruit that grows in {place}."


class Aliased(BaseModel):
    """A reply with a field under another name."""

    fruit_name: str = Field(alias="name")
    seeds: list[int]


def with_llm(
    caller: Caller, provider: Scripted, use: Callable[[GatewayLLM], T], **fields: Any
) -> T:
    """Open a socket for `caller` and let `use` work in a thread with an LLM behind it."""

    async def scenario() -> T:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(caller)
            llm = GatewayLLM(door_path=door.path, **fields)
            return await asyncio.to_thread(use, llm)

    return asyncio.run(scenario())


def with_openai_like(
    caller: Caller, provider: Scripted, use: Callable[[OpenAILike], T], **fields: Any
) -> T:
    """Open a URL for `caller` and let `use` work in a thread with OpenAILike at it."""

    async def scenario() -> T:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open_http(caller)
            llm = OpenAILike(
                model="m", api_base=door.url, api_key="none", is_chat_model=True, **fields
            )
            try:
                return await asyncio.to_thread(use, llm)
            finally:
                llm._get_client().close()

    return asyncio.run(scenario())


# ----------------------------------------------------------------- OpenAILike at the HTTP door


def test_openai_like_chats_and_completes(make_caller: MakeCaller) -> None:
    """Plain chat and completion of the integration work, streamed too."""

    def use(llm: OpenAILike) -> tuple[str | None, str, str]:
        streamed = [piece.delta or "" for piece in llm.stream_chat(MESSAGES)]
        return llm.chat(MESSAGES).message.content, llm.complete("Name one.").text, "".join(streamed)

    assert with_openai_like(make_caller(), Scripted("a fig"), use) == ("a fig",) * 3


def test_openai_like_structured_as_text(make_caller: MakeCaller) -> None:
    """By default `as_structured_llm` sends the schema as text with doubled braces, and parses."""
    provider = Scripted(GOOD)
    raw = with_openai_like(
        make_caller(), provider, lambda llm: llm.as_structured_llm(Fruit).chat(MESSAGES).raw
    )
    assert raw == FRUIT
    [request] = provider.requests
    assert request.schema is None
    assert '{{"description"' in "".join(m["content"] for m in request.messages)


def test_openai_like_structured_natively(make_caller: MakeCaller) -> None:
    """With `should_use_structured_outputs` the schema comes as response_format."""
    provider = Scripted(GOOD)
    raw = with_openai_like(
        make_caller(),
        provider,
        lambda llm: llm.as_structured_llm(Fruit).chat(MESSAGES).raw,
        should_use_structured_outputs=True,
    )
    assert raw == FRUIT
    [request] = provider.requests
    assert request.schema is not None
    assert request.schema["properties"].keys() == {"name", "seeds"}


def test_openai_like_structured_by_a_tool(make_caller: MakeCaller) -> None:
    """As a function calling model it requires one tool, which the door takes as the schema."""
    provider = Scripted(GOOD)
    raw = with_openai_like(
        make_caller(),
        provider,
        lambda llm: llm.as_structured_llm(Fruit).chat(MESSAGES).raw,
        is_function_calling_model=True,
    )
    assert raw == FRUIT
    [request] = provider.requests
    assert request.schema is not None
    assert request.schema_name == "Fruit"


def test_openai_like_makes_one_request_on_a_final_failure(make_caller: MakeCaller) -> None:
    """Neither its own retries nor the SDK's reach the model once the attempts are used up."""
    provider = Scripted("")

    def use(llm: OpenAILike) -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="json"):
                llm.as_structured_llm(Fruit).chat(MESSAGES)

    with_openai_like(make_caller(a_model(max_attempts=2)), provider, use)
    assert len(provider.requests) == 2


# --------------------------------------------------------------------------------- GatewayLLM


def test_chat_passes_roles_text_and_arguments(make_caller: MakeCaller) -> None:
    """What llama-index says reaches the model as it is; the usage stands in the response."""
    provider = Scripted("a fig")
    response = with_llm(
        make_caller(),
        provider,
        lambda llm: llm.chat(MESSAGES, seed=3, max_tokens=99),
        temperature=0.4,
    )
    assert response.message.content == "a fig"
    assert response.additional_kwargs["prompt_tokens"] == 10
    assert response.raw["usage"]["completion_tokens"] == 5
    [request] = provider.requests
    assert request.messages == [
        {"role": "system", "content": "You know {fruits}."},
        {"role": "user", "content": 'Name one, not {"name": "plum"}.'},
    ]
    assert request.arguments == {"temperature": 0.4, "seed": 3}
    assert request.max_output_tokens == 99


def test_every_way_of_asking_for_text(make_caller: MakeCaller) -> None:
    """Completion, streams and the asynchronous versions give the same text."""

    async def asked(llm: GatewayLLM) -> list[str | None]:
        return [
            (await llm.achat(MESSAGES)).message.content,
            (await llm.acomplete("Name one.")).text,
            "".join([p.delta or "" async for p in await llm.astream_chat(MESSAGES)]),
            "".join([p.delta or "" async for p in await llm.astream_complete("Name one.")]),
        ]

    def use(llm: GatewayLLM) -> list[str | None]:
        return [
            llm.complete("Name one.", formatted=True).text,
            "".join(p.delta or "" for p in llm.stream_chat(MESSAGES)),
            "".join(p.delta or "" for p in llm.stream_complete("Name one.")),
            llm.predict(PromptTemplate(TEMPLATE), place="Rome"),
            *asyncio.run(asked(llm)),
        ]

    assert with_llm(make_caller(), Scripted("a fig"), use) == ["a fig"] * 8


def test_structured_llm_sends_the_schema_natively(make_caller: MakeCaller) -> None:
    """`as_structured_llm` gives the object and its usage; braces in a prompt stay braces."""
    provider = Scripted(GOOD)
    response = with_llm(
        make_caller(), provider, lambda llm: llm.as_structured_llm(Fruit).chat(MESSAGES)
    )
    assert response.raw == FRUIT
    assert Fruit.model_validate_json(response.message.content) == FRUIT
    assert response.additional_kwargs["total_tokens"] == 15
    [request] = provider.requests
    assert request.schema == Fruit.model_json_schema()
    assert [m["content"] for m in request.messages] == [m.content for m in MESSAGES]


def test_every_way_of_asking_for_an_object(make_caller: MakeCaller) -> None:
    """Structured calls, streams, programs and the asynchronous versions: all native."""
    provider = Scripted(GOOD)

    async def asked(llm: GatewayLLM) -> list[Any]:
        prompt = PromptTemplate(TEMPLATE)
        structured = llm.as_structured_llm(Fruit)
        stream = await llm.astream_structured_predict(Fruit, prompt, place="Rome")
        return [
            await llm.astructured_predict(Fruit, prompt, place="Rome"),
            (await structured.achat(MESSAGES)).raw,
            *[item async for item in stream],
            *[piece.raw async for piece in await structured.astream_chat(MESSAGES)],
            await get_program_for_llm(Fruit, prompt, llm).acall(place="Rome"),
        ]

    def use(llm: GatewayLLM) -> list[Any]:
        prompt = PromptTemplate(TEMPLATE)
        chat = ChatPromptTemplate(message_templates=[ChatMessage(content=TEMPLATE)])
        structured = llm.as_structured_llm(Fruit)
        return [
            llm.structured_predict(Fruit, prompt, place="Rome"),
            llm.structured_predict(Fruit, chat, place="Rome"),
            *llm.stream_structured_predict(Fruit, prompt, place="Rome"),
            structured.complete("Name one.").raw,
            *[piece.raw for piece in structured.stream_chat(MESSAGES)],
            get_program_for_llm(Fruit, prompt, llm)(place="Rome"),
            FunctionCallingProgram.from_defaults(Fruit, prompt=prompt, llm=llm)(place="Rome"),
            *asyncio.run(asked(llm)),
        ]

    assert with_llm(make_caller(), provider, use) == [FRUIT] * 12
    for request in provider.requests:
        assert request.schema == Fruit.model_json_schema()
        assert "properties" not in request.messages[-1]["content"]


def test_text_program_has_its_schema_taken_out_of_the_prompt(make_caller: MakeCaller) -> None:
    """A program that writes the schema into the prompt sends it natively all the same."""
    provider = Scripted(GOOD)
    prompt = PromptTemplate(TEMPLATE)

    def use(llm: GatewayLLM) -> tuple[Any, Any]:
        program = LLMTextCompletionProgram.from_defaults(output_cls=Fruit, prompt=prompt, llm=llm)
        first = program(place="Rome")
        return first, llm.structured_predict(Fruit, prompt, place="Rome")

    assert with_llm(make_caller(), provider, use) == (FRUIT, FRUIT)
    for request in provider.requests:
        assert request.messages[-1]["content"] == "Name a fruit that grows in Rome."
        assert request.schema == Fruit.model_json_schema()


def test_reply_that_does_not_fit_is_sent_back(make_caller: MakeCaller) -> None:
    """The structured call is retried with what was wrong, as a house step's call is."""
    provider = Scripted('{"name": 3}', GOOD)
    assert (
        with_llm(
            make_caller(),
            provider,
            lambda llm: llm.structured_predict(Fruit, PromptTemplate(TEMPLATE), place="Rome"),
        )
        == FRUIT
    )
    assert "seeds" in provider.requests[1].messages[-1]["content"]


def test_failure_is_raised_once_and_remembered(make_caller: MakeCaller) -> None:
    """The error names kind and text; the same question again costs nothing more."""
    provider = Scripted("no json here")

    def use(llm: GatewayLLM) -> None:
        for _ in range(3):
            with pytest.raises(CallFailedError, match="no JSON") as caught:
                llm.as_structured_llm(Fruit).chat(MESSAGES)
            assert caught.value.failure.kind is FailureKind.schema
            assert caught.value.text == "no json here"

    with_llm(make_caller(), provider, use)
    assert len(provider.requests) == 3


def test_keys_name_content_and_occurrence_or_are_given(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Repeated questions are counted; `call_key` names a call explicitly."""

    def use(llm: GatewayLLM) -> None:
        structured = llm.as_structured_llm(Fruit)
        structured.chat(MESSAGES)
        structured.chat(MESSAGES)
        structured.chat(MESSAGES, call_key="fruit")
        llm.structured_predict(
            Fruit, PromptTemplate(TEMPLATE), llm_kwargs={"call_key": "named"}, place="Rome"
        )

    with_llm(make_caller(), Scripted(GOOD), use)
    keys = [row.key for row in read_attempts(tmp_path / "attempts.jsonl")]
    assert re.fullmatch(r"[0-9a-f]{12}\.0", keys[0])
    assert keys[1:] == [keys[0][:-1] + "1", "fruit", "named"]


def test_one_tool_is_filled_in_and_called(make_caller: MakeCaller) -> None:
    """A single function gets its arguments from the model; several are refused."""

    def weigh(name: str, seeds: list[int]) -> str:
        """Weigh a fruit."""
        return f"{name}: {sum(seeds)} g"

    tool = FunctionTool.from_defaults(weigh)

    def use(llm: GatewayLLM) -> str:
        with pytest.raises(GatewayError, match="2 tools"):
            llm.predict_and_call([tool, tool], "Weigh a fig.")
        return llm.predict_and_call([tool], "Weigh a fig.").response

    assert with_llm(make_caller(), Scripted(GOOD), use) == "fig: 3 g"


def test_program_for_a_class_with_aliases(make_caller: MakeCaller) -> None:
    """A field that has another name in the schema arrives under the right one."""

    def use(llm: GatewayLLM) -> Any:
        return get_program_for_llm(Aliased, PromptTemplate(TEMPLATE), llm)(place="Rome")

    assert with_llm(make_caller(), Scripted(GOOD), use).fruit_name == "fig"


def test_unknown_keywords_and_images_are_refused(make_caller: MakeCaller) -> None:
    """What would not reach the model is refused instead of being lost."""
    image = ChatMessage(blocks=[ImageBlock(image=b"AA==", image_mimetype="image/png")])

    def use(llm: GatewayLLM) -> None:
        with pytest.raises(TypeError, match="frequency_penalty"):
            llm.chat(MESSAGES, frequency_penalty=1)
        with pytest.raises(GatewayError, match="text only"):
            llm.chat([image])

    with_llm(make_caller(), Scripted("a fig"), use)


def test_door_comes_from_the_environment(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a path the LLM finds MODEL_GATEWAY when it asks, and says so if there is none."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DoorError, match=VARIABLE):
        GatewayLLM().complete("Name one.")

    def use(llm: GatewayLLM) -> str:
        monkeypatch.setenv(VARIABLE, str(llm.door_path))
        return GatewayLLM().complete("Name one.").text

    assert with_llm(make_caller(), Scripted("a fig"), use) == "a fig"


def test_llm_can_be_copied_and_written_down() -> None:
    """llama-index serializes and copies LLMs; this one takes part."""
    llm = GatewayLLM(model="shown", door_path=Path("/nowhere"))
    assert json.loads(llm.to_json())["model"] == "shown"
    assert copy.deepcopy(llm).door_path == pickle.loads(pickle.dumps(llm)).door_path  # noqa: S301
    with pytest.raises(ValidationError):
        GatewayLLM(max_tokens="many")
