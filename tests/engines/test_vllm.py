"""vLLM in this process, real: it keeps what every engine promises, and has its own order and its own parameters."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from playact.backends.vllm import VLLMBackend
from playact.engine.completion import CompletionRequest, Message, Parameters, StreamingBackend, ToolSpec
from playact.engine.errors import BackendRefused, ParameterUnknown
from tests.backends.engine_contract import EngineContract, asking, streamed
from tests.engines.engine import a_vllm, processes

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.engine, pytest.mark.timeout(900)]

CLOCK = ToolSpec(
    "clock",
    "Tells the time in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vllm() -> AsyncIterator[VLLMBackend]:
    async with a_vllm() as backend:
        yield backend


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(vllm: VLLMBackend) -> StreamingBackend:
    return vllm


class TestVLLM(EngineContract):
    """In float32 it is exact."""


def made_to_say(text: str, *, tools: tuple[ToolSpec, ...] = ()) -> CompletionRequest:
    """A model of this size would not do it of its own accord, so a grammar leaves it no choice."""
    request = asking("What time is it in Oslo?", max_tokens=64, structured_outputs={"regex": re.escape(text)})
    return replace(request, tools=tools, sequence=3)


async def test_more_prompts_at_once_than_a_step_takes_in_are_answered(vllm: VLLMBackend) -> None:
    """vLLM on processors dies of a prompt with a seed that it reads in parts."""
    requests = [
        replace(asking(f"{number}. " + "Once there was a town by the sea. " * 80, max_tokens=2), seed=number)
        for number in range(12)
    ]

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(vllm.complete(request)) for request in requests]

    assert all(call.result().usage.completion_tokens for call in calls)


async def test_a_tool_is_called_and_its_answer_heard(vllm: VLLMBackend) -> None:
    written = 'Wait. <tool_call>\n{"name": "clock", "arguments": {"city": "Oslo"}}\n</tool_call>'
    request = made_to_say(written, tools=(CLOCK,))

    plain = await vllm.complete(replace(request, tools=()))
    called = await vllm.complete(request)
    in_pieces, _ = await streamed(vllm, request)
    answered = await vllm.complete(
        CompletionRequest(
            messages=(
                *request.messages,
                Message("assistant", called.text, tool_calls=called.tool_calls),
                Message("tool", '{"time": "12:30"}', tool_call_id=called.tool_calls[0].id),
            ),
            tools=(CLOCK,),
            parameters=Parameters(max_tokens=8),
        )
    )

    assert plain.tool_calls == ()
    assert called.usage.prompt_tokens > plain.usage.prompt_tokens + 50  # it was told of the tool
    (call,) = called.tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("call-3-1", "clock", {"city": "Oslo"})
    assert (called.text, called.finish) == ("Wait. ", "tool_calls")
    assert (in_pieces.text, in_pieces.tool_calls) == (called.text, called.tool_calls)
    assert answered.usage.prompt_tokens > called.usage.prompt_tokens + 20


async def test_what_it_thinks_is_kept_apart_from_what_it_says(vllm: VLLMBackend) -> None:
    request = made_to_say("<think>\nHm, no idea.\n</think>\n\nHalf past noon.")

    whole = await vllm.complete(request)
    in_pieces, pieces = await streamed(vllm, request)

    assert (whole.thinking, whole.text) == ("Hm, no idea.", "Half past noon.")
    assert (in_pieces.thinking, in_pieces.text) == (whole.thinking, whole.text)
    assert pieces > 1


async def test_the_oldest_dialog_goes_first_where_more_wait_than_there_is_room_for(vllm: VLLMBackend) -> None:
    order: list[int] = []

    async def ask(age: int, max_tokens: int = 8) -> None:
        await vllm.complete(replace(asking("Go on.", max_tokens=max_tokens, ignore_eos=True), age=age))
        order.append(age)

    async with asyncio.TaskGroup() as tasks:
        for age in range(16):  # as many as its batch takes
            tasks.create_task(ask(age, max_tokens=32))
        for age in range(100, 132):
            tasks.create_task(ask(age))
        tasks.create_task(ask(50))

    assert order.index(50) < 32  # of the 33 that waited, among the first 16


async def test_what_was_computed_of_earlier_turns_is_found_again(vllm: VLLMBackend) -> None:
    persona = "You are Ann, who keeps bees, lives by the sea, sleeps badly, and loves to talk of the weather. " * 12
    chat = [Message("system", persona), Message("user", "Good morning, Ann! How are the bees today?")]
    request = CompletionRequest(messages=tuple(chat), parameters=Parameters(max_tokens=16))
    before = vllm.statistics()

    first = await vllm.complete(request)
    chat += [Message("assistant", first.text), Message("user", "And the weather?")]
    second = await vllm.complete(replace(request, messages=tuple(chat)))

    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens > second.usage.prompt_tokens / 2
    after = vllm.statistics()
    assert after["cached_tokens"] - before["cached_tokens"] == second.usage.cached_tokens
    assert 0 < after["cached_share"] < 1
    assert after["tokens_per_s"] > 0
    assert after["in_flight"] == 0


async def test_every_parameter_of_vllm_that_suits_one_text_can_be_said(vllm: VLLMBackend) -> None:
    request = asking("Say yes.", max_tokens=4, temperature=0.0)
    token = (await vllm.complete(replace(request, parameters=Parameters(max_tokens=1)))).usage.completion_tokens

    forced = await vllm.complete(asking("Say yes.", max_tokens=4, min_tokens=4, allowed_token_ids=[28]))
    longer = await vllm.complete(asking("Say yes.", max_tokens=40, ignore_eos=True, top_k=5, min_p=0.1))
    biased = await vllm.complete(asking("Say yes.", max_tokens=4, temperature=0.0, logit_bias={"28": 100}))

    assert token == 1
    assert forced.text == ",,,,"
    assert longer.usage.completion_tokens == 40
    assert "," in biased.text


@pytest.mark.parametrize(
    "extra",
    [{"top_k": "many"}, {"min_p": 7.0}, {"logit_bias": {"x": 1}}, {"allowed_token_ids": [10**9]}, {"bad_words": 3}],
    ids=lambda extra: next(iter(extra)),
)
async def test_a_bad_value_is_refused_in_one_line_and_harms_no_other(
    vllm: VLLMBackend, extra: dict[str, object]
) -> None:
    with pytest.raises(BackendRefused) as refusal:
        await vllm.complete(replace(asking("Hi!"), parameters=Parameters(extra=extra)))

    assert len(str(refusal.value).splitlines()) == 1
    assert (await vllm.complete(asking("Hi!", max_tokens=2))).usage.completion_tokens > 0


@pytest.mark.parametrize("name", ["n", "seed", "prompt_logprobs", "output_kind"])
async def test_what_makes_no_sense_for_one_text_is_refused_by_name(vllm: VLLMBackend, name: str) -> None:
    with pytest.raises(ParameterUnknown, match=name):
        await vllm.complete(replace(asking("Hi!"), parameters=Parameters(extra={name: 2})))


async def test_a_schema_that_is_none_is_refused(vllm: VLLMBackend) -> None:
    with pytest.raises(BackendRefused):
        await vllm.complete(asking("Hi!", schema={"type": "nonsense"}))


async def test_another_model_than_the_one_it_has_is_refused(vllm: VLLMBackend) -> None:
    with pytest.raises(BackendRefused, match="gpt-4"):
        await vllm.complete(replace(asking("Hi!"), model="gpt-4"))


async def test_an_interrupt_at_the_terminal_is_not_the_engines(vllm: VLLMBackend) -> None:
    """It reaches every process of the terminal; the run's own way of stopping must find the engine alive."""
    for process in processes():
        assert process is not None
        os.kill(process, signal.SIGINT)

    completion = await vllm.complete(asking("Still there?", max_tokens=4))

    assert completion.usage.completion_tokens > 0


async def test_it_says_what_it_can_do(vllm: VLLMBackend) -> None:
    able = vllm.capabilities

    assert (able.in_flight, able.max_tokens) == (32, 2048)
    assert able.tools
    assert able.response_schema
    assert not able.thinking  # this model cannot
    assert repr(vllm) == "<VLLMBackend vllm:smollm2 open 0 in flight>"
