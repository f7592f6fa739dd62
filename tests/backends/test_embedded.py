"""The embedded model, real: it starts inside this process, answers many at once, and stops."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends import embedded as module
from playact.backends.embedded import EmbeddedBackend
from playact.backends.weights import find_weights
from playact.engine import Completion, CompletionRequest, Message, Parameters, Simulation, ToolSpec
from playact.engine.budget.prompt_size import most_tokens
from playact.engine.errors import BackendRefused, ExtraMissing, PlayactError, SetupError, WeightsMissing

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]


@asynccontextmanager
async def a_model(slots: int = 4) -> AsyncIterator[EmbeddedBackend]:
    backend = EmbeddedBackend(slots=slots, context_tokens=512)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()


def asking(
    text: str, *, max_tokens: int = 16, seed: int = 7, response_schema: dict[str, object] | None = None
) -> CompletionRequest:
    return CompletionRequest(
        messages=(Message("user", text),),
        seed=seed,
        parameters=Parameters(max_tokens=max_tokens),
        response_schema=response_schema,
    )


async def test_it_answers_counts_repeats_itself_and_keeps_to_a_schema() -> None:
    async with a_model() as model:
        first, again = [await model.complete(asking("Say hello.")) for _ in range(2)]
        schema: dict[str, object] = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
        shaped = await model.complete(asking("How old is Ann? Answer in JSON.", max_tokens=64, response_schema=schema))

    assert first.text
    assert first.text == again.text
    assert 0 < first.usage.completion_tokens <= 16
    assert first.usage.prompt_tokens > 5
    assert isinstance(json.loads(shaped.text)["age"], int)


async def test_json_is_whole_also_where_the_model_lays_it_out_in_lines() -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "inhabitants": {"type": "boolean"}},
        "required": ["city", "inhabitants"],
        "additionalProperties": False,
    }
    question = "Tell me a city and whether people live there, as JSON."
    async with a_model() as model:
        requests = [asking(question, max_tokens=96, seed=seed, response_schema=schema) for seed in range(6)]
        replies = [await model.complete(request) for request in requests]

    assert any("\n" in reply.text for reply in replies)
    assert all(set(json.loads(reply.text)) == {"city", "inhabitants"} for reply in replies)


async def test_the_packaged_model_is_not_told_of_tools_it_cannot_use_which_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    weather = ToolSpec("weather", "Tells the weather of a city.", {"type": "object", "properties": {}})
    asked = CompletionRequest(messages=(Message("user", "What is the weather in Paris?"),), seed=7)
    async with a_model() as model:
        plain = await model.complete(asked)
        offered = [await model.complete(replace(asked, tools=(weather,))) for _ in range(2)]

    assert [each.usage.prompt_tokens for each in offered] == [plain.usage.prompt_tokens] * 2
    assert all("\n" not in each.text and each.usage.completion_tokens <= 32 for each in offered)
    assert [record.message for record in caplog.records if "tools.ignored" in record.message] == [
        "event='tools.ignored' backend='embedded' hint='the packaged model cannot call any'"
    ]


@pytest.mark.parametrize("text", ["Hi", "", "é" * 90, "日本語の文章です。" * 9, "\ufdfa" * 20, "🚀" * 30, " \n\t" * 60])
async def test_it_counts_no_more_tokens_than_a_budget_lays_aside(text: str) -> None:
    async with a_model() as model:
        completion = await model.complete(asking(text, max_tokens=5))
        unlimited = await model.complete(CompletionRequest(messages=(Message("user", "Count to a thousand."),), seed=7))

    assert completion.usage.prompt_tokens <= most_tokens(asking(text))
    assert completion.usage.completion_tokens <= 5
    assert model.capabilities.max_tokens is not None
    assert unlimited.usage.completion_tokens <= model.capabilities.max_tokens


async def test_it_works_on_many_requests_at_once_and_frees_the_slots_of_those_cancelled() -> None:
    async with a_model() as model:
        replies = []

        async def ask(number: int) -> None:
            replies.append(await model.complete(asking(f"What is {number} plus one?", seed=number)))

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(ask, number)
        with anyio.move_on_after(0.5):
            async with anyio.create_task_group() as tasks:
                for number in range(8):
                    tasks.start_soon(model.complete, asking("Tell a long story.", max_tokens=400, seed=number))
        with anyio.fail_after(60):
            await ask(99)

    assert len(replies) == 9


async def test_a_prompt_longer_than_the_context_is_refused_with_the_figures() -> None:
    async with a_model(slots=1) as model:
        with pytest.raises(BackendRefused, match="exceeds the available context size"):
            await model.complete(asking("word " * 1000))


async def test_it_stops_within_two_seconds_also_with_requests_in_flight() -> None:
    before = threads()
    async with anyio.create_task_group() as tasks:
        model = EmbeddedBackend(slots=4, context_tokens=512)
        await model.open()
        for number in range(4):
            tasks.start_soon(end_somehow, model, asking("Tell a long story.", max_tokens=400, seed=number))
        await anyio.sleep(0.5)
        start = time.monotonic()
        await model.aclose()
        stopped_after_s = time.monotonic() - start

    assert stopped_after_s < 10  # two seconds on an idle machine; this only tells stopping from finishing the stories
    assert threads() <= before + 4  # the worker threads of the event loop stay; the server's fifty do not


async def test_json_may_be_laid_out_in_lines_and_longer_than_an_utterance() -> None:
    names = ["first", "second", "third"]
    thing = {"type": "string", "minLength": 60, "maxLength": 70}
    schema: dict[str, object] = {"type": "object", "properties": dict.fromkeys(names, thing), "required": names}
    request = asking("Tell me three things about the sea, in JSON.", response_schema=schema)
    async with a_model() as model:
        completion = await model.complete(replace(request, parameters=Parameters()))

    assert list(json.loads(completion.text)) == names
    assert completion.usage.completion_tokens > 48


async def test_a_file_of_ones_own_is_not_held_to_what_suits_the_packaged_model() -> None:
    weights = find_weights()
    assert weights is not None
    own = EmbeddedBackend(weights, slots=2, context_tokens=512)
    await own.open()
    try:
        talk = asking("Write a poem of two verses about the sea, four lines each.", max_tokens=60)
        completion = await own.complete(talk)
    finally:
        await own.aclose()

    assert "\n" in completion.text
    assert completion.finish == "length"  # and is not trimmed to its last sentence
    assert completion.usage.completion_tokens == 60
    assert own.capabilities.max_tokens == 512
    assert not own.capabilities.is_small
    assert not own.capabilities.tools  # this one's chat template has no place for tools
    assert not own.capabilities.thinking
    assert own.defaults.temperature is None


async def test_agents_that_answer_in_a_form_are_played_on_it() -> None:
    line = {"type": "object", "properties": {"say": {"type": "string", "maxLength": 60}}, "required": ["say"]}
    cast = tuple(Agent(Persona(name=name), response_schema=line) for name in ("Ann", "Ben"))
    async with Simulation(model=EmbeddedBackend(slots=2, context_tokens=512), seed=3) as simulation:
        dialog = await simulation.play(Scenario(cast=cast, max_turns=2))

    assert dialog.ending is not None
    assert not dialog.ending.failed
    assert all(list(json.loads(turn.text)) == ["say"] for turn in dialog)


async def test_the_packaged_model_is_told_less_than_others() -> None:
    seen: list[CompletionRequest] = []

    class Listening(EmbeddedBackend):
        async def complete(self, request: CompletionRequest) -> Completion:
            seen.append(request)
            return Completion(text="Hello.")

        async def open(self) -> None:
            """Not needed here."""

    ann = Agent(Persona(name="Ann", role="baker"))
    full = Agent(Persona(name="Ben"), prompt_style="full")
    async with Simulation(model=Listening(), seed=3) as simulation:
        await simulation.play(Scenario(cast=(ann, full), max_turns=2))

    short, long = (request.messages[0].text for request in seen)
    assert short.startswith("You are Ann, baker.")
    assert "[[END]]" not in short
    assert "[[END]]" in long


async def test_whole_dialogs_are_played_on_it_side_by_side() -> None:
    scenario = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=2)
    async with Simulation(model=EmbeddedBackend(slots=4, context_tokens=512), seed=3) as simulation:
        dialogs = [dialog async for dialog in simulation.run([scenario] * 6)]

    assert len(dialogs) == 6
    assert all(dialog.ending and not dialog.ending.failed for dialog in dialogs)
    assert all(turn.text for dialog in dialogs for turn in dialog)


@pytest.mark.parametrize("max_tokens", [9, 40, 120])
async def test_a_stream_comes_to_what_a_whole_reply_says_also_where_it_is_cut_off(max_tokens: int) -> None:
    request = asking("Tell me about coffee in three sentences.", max_tokens=max_tokens)

    async with a_model(slots=1) as model:
        whole = await model.complete(request)
        async with aclosing(model.stream(request)) as stream:
            deltas = [delta async for delta in stream]

    streamed = deltas[-1].completion
    assert streamed is not None
    assert (streamed.text, streamed.finish) == (whole.text, whole.finish)
    assert "".join(delta.text for delta in deltas) == whole.text
    assert streamed.usage.completion_tokens == whole.usage.completion_tokens


async def test_it_tells_how_sure_it_is_of_each_token() -> None:
    request = replace(
        asking("Tell me about coffee.", max_tokens=60),
        parameters=Parameters(max_tokens=60, extra={"logprobs": True, "top_logprobs": 3}),
    )

    async with a_model(slots=1) as model:
        completion = await model.complete(request)

    assert "".join(token.token for token in completion.logprobs).startswith(completion.text)
    assert all(token.logprob <= 0 for token in completion.logprobs)


async def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_weights", lambda: None)

    with pytest.raises(WeightsMissing, match="playact models fetch"):
        await EmbeddedBackend().open()


async def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    with pytest.raises(ExtraMissing, match=r"pip install 'playact\[embedded\]'"):
        await EmbeddedBackend().open()


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"not a model")

    with pytest.raises(SetupError, match="cannot be loaded"):
        await EmbeddedBackend(file).open()


async def test_it_says_when_it_is_not_open() -> None:
    with pytest.raises(PlayactError, match="not open"):
        await EmbeddedBackend().complete(asking("Hello?"))


async def end_somehow(model: EmbeddedBackend, request: CompletionRequest) -> None:
    with suppress(PlayactError):
        await model.complete(request)


def threads() -> int:
    return len(os.listdir("/proc/self/task"))
