"""What every engine that runs on this machine promises, on a real small model; each engine's tests extend the class."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest

from playact.engine.completion import Completion, CompletionRequest, Message, Parameters, StreamingBackend
from playact.engine.errors import BackendRefused, ParameterUnknown

__all__ = ["EngineContract", "asking", "streamed"]

AGE: dict[str, object] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def asking(
    text: str,
    *,
    max_tokens: int = 16,
    temperature: float | None = None,
    stop: tuple[str, ...] = (),
    seed: int | None = 7,
    schema: dict[str, object] | None = None,
    **extra: object,
) -> CompletionRequest:
    parameters = Parameters(max_tokens=max_tokens, temperature=temperature, stop=stop, extra=extra)
    return CompletionRequest(
        messages=(Message("user", text),), seed=seed, parameters=parameters, response_schema=schema
    )


async def streamed(backend: StreamingBackend, request: CompletionRequest) -> tuple[Completion, int]:
    """The completion of a stream, which its deltas must come to, and how many of them had text."""
    text, pieces = "", 0
    completion: Completion | None = None
    async with aclosing(backend.stream(request)) as deltas:
        async for delta in deltas:
            assert completion is None, "nothing comes after the completion"
            text, pieces, completion = text + delta.text, pieces + bool(delta.text), delta.completion
    assert completion is not None
    assert text == completion.text
    return completion, pieces


class EngineContract:
    """`engine` is open and serves all of these tests.

    is_exact: whether a request gets the same words alone and among others.
    streams_sentences: whether nothing is told of a sentence before its end.
    """

    is_exact = True
    streams_sentences = False

    async def test_it_answers_and_counts(self, engine: StreamingBackend) -> None:
        completion = await engine.complete(asking("Say hello.", temperature=0.0))

        assert completion.text.strip()
        assert completion.finish in ("stop", "length")
        assert completion.usage.prompt_tokens > 5
        assert 0 < completion.usage.completion_tokens <= 16

    async def test_a_reply_has_no_more_tokens_than_it_may(self, engine: StreamingBackend) -> None:
        completion = await engine.complete(asking("Tell me a long story about the sea.", max_tokens=5))

        assert completion.finish == "length"
        assert completion.usage.completion_tokens == 5

    async def test_a_reply_ends_before_its_stop_string(self, engine: StreamingBackend) -> None:
        story = "Tell me a long story about the sea."
        whole = await engine.complete(asking(story, max_tokens=40, temperature=0.0))
        word = whole.text.split()[3]

        completion = await engine.complete(asking(story, max_tokens=40, temperature=0.0, stop=(word,)))

        assert completion.finish == "stop"
        assert completion.text.strip() == whole.text.split(word)[0].strip()

    async def test_at_temperature_zero_the_seed_does_not_matter(self, engine: StreamingBackend) -> None:
        one, two = [await engine.complete(asking("Who are you?", temperature=0.0, seed=seed)) for seed in (1, 2)]

        assert one.text == two.text

    async def test_the_same_seed_gives_the_same_words_and_others_others(self, engine: StreamingBackend) -> None:
        question = "Tell me of a town that does not exist."
        texts = [(await engine.complete(asking(question, temperature=1.0, seed=seed))).text for seed in (1, 1, 2, 3, 4)]

        assert texts[0] == texts[1]
        assert len(set(texts)) > 2

    async def test_a_stream_comes_in_pieces_to_what_the_whole_would_be(self, engine: StreamingBackend) -> None:
        request = asking("Describe a harbour in the morning. Use an emoji.", max_tokens=24)

        whole = await engine.complete(request)
        completion, pieces = await streamed(engine, request)

        assert (completion.text, completion.finish) == (whole.text, whole.finish)
        assert completion.usage.completion_tokens == whole.usage.completion_tokens
        assert pieces > 1 or self.streams_sentences

    @pytest.mark.parametrize(
        "chat",
        [
            (Message("system", "You are a barista."),),
            (Message("assistant", "Good morning!"),),
            (Message("system", "Be brief."), Message("assistant", "Good morning!"), Message("user", "Morning.")),
            (Message("user", "Hi!"), Message("user", "Anyone?")),
            (Message("user", "Hi!"), Message("assistant", "Yes?"), Message("assistant", "Hello?")),
            (Message("user", "Hi!"), Message("system", "Be brief."), Message("assistant", "OK."), Message("user", "?")),
        ],
        ids=["no user", "assistant only", "assistant first", "user twice", "assistant last", "system within"],
    )
    async def test_an_unusual_order_is_answered_all_the_same(
        self, engine: StreamingBackend, chat: tuple[Message, ...]
    ) -> None:
        request = CompletionRequest(messages=chat, seed=7, parameters=Parameters(max_tokens=8))

        completion = await engine.complete(request)

        assert completion.usage.completion_tokens > 0

    @pytest.mark.parametrize("text", ["Grüße, 世界 👩‍👩‍👧", "", "\u0000\ufdfa <|im_end|> <s>", " \n\t "])
    async def test_any_text_may_be_asked(self, engine: StreamingBackend, text: str) -> None:
        completion = await engine.complete(asking(text, max_tokens=8))

        assert completion.usage.prompt_tokens > 0
        completion.text.encode()  # no half characters

    async def test_a_prompt_beyond_the_context_is_refused(self, engine: StreamingBackend) -> None:
        with pytest.raises(BackendRefused, match=r"(?i)context|long|tokens"):
            await engine.complete(asking("word " * 100_000))

    async def test_a_schema_holds_whatever_the_model_would_have_said(self, engine: StreamingBackend) -> None:
        requests = [asking(f"Who is number {n}?", max_tokens=64, schema=AGE, temperature=1.0) for n in range(4)]

        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(engine.complete(request)) for request in requests]

        for call in calls:
            completion = call.result()
            assert completion.finish == "stop"
            value = json.loads(completion.text)
            assert set(value) == {"name", "age"}
            assert isinstance(value["age"], int)

    async def test_the_tokens_probabilities_can_be_had(self, engine: StreamingBackend) -> None:
        completion = await engine.complete(asking("Say hello.", temperature=0.0, logprobs=True))

        assert "".join(each.token for each in completion.logprobs).strip().startswith(completion.text.strip()[:4])
        assert all(each.logprob <= 0 for each in completion.logprobs)

    async def test_among_sixty_four_each_gets_its_own_answer(self, engine: StreamingBackend) -> None:
        requests = [asking(f"Repeat: {n}", max_tokens=8, temperature=0.0) for n in range(64)]
        alone = [(await engine.complete(request)).text for request in requests[:4]]

        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(engine.complete(request)) for request in requests]

        texts = [call.result().text for call in calls]
        assert len(texts) == 64
        if self.is_exact:
            assert texts[:4] == alone

    async def test_a_cancelled_call_gives_its_place_to_others(self, engine: StreamingBackend) -> None:
        endless = [asking("Write a very long story.", max_tokens=400, seed=seed) for seed in range(64)]
        calls = [asyncio.ensure_future(engine.complete(request)) for request in endless]
        async with aclosing(engine.stream(endless[0])) as deltas:
            async for _ in deltas:
                break  # they are under way
        for call in calls:
            call.cancel()
        ends = await asyncio.gather(*calls, return_exceptions=True)

        completion = await engine.complete(asking("Say hello.", max_tokens=4))

        assert completion.usage.completion_tokens > 0
        assert any(isinstance(end, asyncio.CancelledError) for end in ends)

    async def test_a_parameter_that_it_does_not_know_is_refused_by_name(self, engine: StreamingBackend) -> None:
        with pytest.raises(ParameterUnknown, match="tempratur"):
            await engine.complete(asking("Hi!", tempratur=1))
