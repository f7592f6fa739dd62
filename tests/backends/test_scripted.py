"""The scripted backend's streams, on asyncio and trio."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from playact.backends.faults import Faults
from playact.backends.scripted import ScriptedBackend
from playact.engine.completion import Completion, CompletionRequest, Delta, Message, StreamingBackend
from playact.engine.errors import BackendUnavailable

pytestmark = pytest.mark.anyio

HELLO = CompletionRequest(messages=(Message("user", "Hi!"),), seed=1)


async def test_words_come_one_by_one_and_whole_at_the_end() -> None:
    reply = Completion(text="  Well,  hello \n there. ", thinking="A guest!")
    backend = ScriptedBackend([reply])

    async with aclosing(backend.stream(HELLO)) as stream:
        deltas = [delta async for delta in stream]

    assert isinstance(backend, StreamingBackend)
    assert [delta.thinking for delta in deltas[:2]] == ["A ", "guest!"]
    assert [delta.text for delta in deltas[2:-1]] == ["  ", "Well,  ", "hello \n ", "there. "]
    assert deltas[-1] == Delta(completion=reply)


async def test_a_stream_comes_to_what_a_whole_reply_says() -> None:
    async with aclosing(ScriptedBackend().stream(HELLO)) as stream:
        deltas = [delta async for delta in stream]

    assert deltas[-1].completion == await ScriptedBackend().complete(HELLO)


async def test_the_weather_befalls_streams_as_well() -> None:
    backend = ScriptedBackend(["Hello."], faults=Faults(cut=1.0))

    with pytest.raises(BackendUnavailable, match="cut"):
        async with aclosing(backend.stream(HELLO)) as stream:
            await anext(stream)


async def test_a_stream_closed_early_is_no_longer_in_flight() -> None:
    backend = ScriptedBackend(["One two three."])

    async with aclosing(backend.stream(HELLO)) as stream:
        await anext(stream)
        assert backend.statistics()["in_flight"] == 1

    assert backend.statistics()["in_flight"] == 0
