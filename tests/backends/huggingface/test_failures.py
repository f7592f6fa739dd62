"""What goes wrong with one request stays with it; what goes wrong with the model is said to all who wait."""

from __future__ import annotations

import dataclasses
import re
import threading
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from playact.backends.huggingface import HuggingFaceBackend
from playact.backends.huggingface.loading import LoadedModel
from playact.engine import Completion, CompletionRequest
from playact.engine.errors import BackendError, BackendRefused, BackendUnavailable, PlayactError
from tests.backends.huggingface.conftest import Opener
from tests.backends.huggingface.questions import asking

pytestmark = pytest.mark.anyio

ENDLESS = asking("Tell me everything.", max_tokens=450, ignore_eos=True)


class Breaking:
    """A model that fails at one call, as one does when memory runs out."""

    def __init__(self, model: Any, at: int) -> None:
        self._model = model
        self._left = at

    def __call__(self, **inputs: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return self._model(**inputs)

    def __getattr__(self, name: str) -> Any:  # all else is the model's own
        return getattr(self._model, name)


async def outcomes(model: HuggingFaceBackend, *requests: CompletionRequest) -> list[Completion | BackendError]:
    ends: list[Completion | BackendError | None] = [None] * len(requests)

    async def ask(place: int, request: CompletionRequest) -> None:
        try:
            ends[place] = await model.complete(request)
        except BackendError as error:
            ends[place] = error

    async with anyio.create_task_group() as tasks:
        for place, request in enumerate(requests):
            tasks.start_soon(ask, place, request)
    return [end for end in ends if end is not None]


async def under_way(model: HuggingFaceBackend, request: CompletionRequest = ENDLESS) -> None:
    """Speaks for long; returns when it was closed."""
    with pytest.raises(BackendUnavailable, match="closed"):
        await model.complete(request)


async def test_closing_ends_the_thread_and_those_in_flight_are_told(tiny: LoadedModel, opened: Opener) -> None:
    async with anyio.create_task_group() as tasks, opened(tiny, rows=2) as model:
        for _ in range(4):  # two of them wait for a row
            tasks.start_soon(under_way, model)
        await speaking(model)
        await model.aclose()

    assert not [thread for thread in threading.enumerate() if thread.name == f"playact {model.name}"]
    with pytest.raises(PlayactError, match="not open"):
        await model.complete(ENDLESS)


async def test_a_cancelled_request_frees_its_row_at_once(tiny: LoadedModel, opened: Opener) -> None:
    async with opened(tiny, rows=1) as model:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(model.complete, ENDLESS)
            await speaking(model)
            tasks.cancel_scope.cancel()
        steps = model.statistics()["steps"]

        completion = await model.complete(asking("Hello?", max_tokens=3, ignore_eos=True))

        assert completion.usage.completion_tokens == 3
        assert model.statistics()["steps"] <= steps + 10
        assert model.statistics()["rows"] == 0


async def test_a_cancelled_request_that_still_waits_is_forgotten(tiny: LoadedModel, opened: Opener) -> None:
    async with opened(tiny, rows=1) as model:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(model.complete, ENDLESS)
            await speaking(model)
            tasks.cancel_scope.cancel()

        completion = await model.complete(asking("Hello?", max_tokens=3, ignore_eos=True))

    assert completion.usage.completion_tokens == 3


async def test_a_stream_that_is_closed_early_frees_its_row(tiny: LoadedModel, opened: Opener) -> None:
    async with opened(tiny, rows=1) as model:
        async with aclosing(model.stream(ENDLESS)) as deltas:
            async for _ in deltas:
                break

        completion = await model.complete(asking("Hello?", max_tokens=3, ignore_eos=True))

    assert completion.usage.completion_tokens == 3


async def test_when_the_model_fails_those_in_flight_are_told_and_the_next_are_served(
    tiny: LoadedModel, opened: Opener
) -> None:
    breaking = dataclasses.replace(tiny, model=Breaking(tiny.model, at=5))
    async with opened(breaking, rows=4) as model:
        ends = await outcomes(model, *[ENDLESS] * 3)
        completion = await model.complete(asking("Hello?", max_tokens=3, ignore_eos=True))

    assert all(isinstance(end, BackendUnavailable) and "allocate memory" in str(end) for end in ends)
    assert completion.usage.completion_tokens == 3


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (asking("Hi!", response_schema={"type": "nonsense"}), "schema"),
        (asking("Hi!", response_schema={"type": "string", "pattern": "("}), "schema"),
        (asking("Hi!", temperature=-1.0), "temperature lies between"),
        (asking("Hi!", top_p=1.5), "top_p lies between"),
        (asking("Hi!", max_tokens=0), "max_tokens lies between"),
        (asking("Hi!", top_k=1.5), "top_k lies between"),
        (asking("Hi!", top_k=True), "top_k lies between"),
        (asking("Hi!", logprobs=5), "logprobs is true or false"),
        (asking("Hi! " * 200), "the prompt has 8.. tokens"),
    ],
)
async def test_a_request_that_cannot_be_served_fails_alone(
    tiny: LoadedModel, opened: Opener, wrong: CompletionRequest, reason: str
) -> None:
    good = asking("Hello?", max_tokens=30, ignore_eos=True)
    async with opened(tiny) as model:
        first, failed, last = await outcomes(model, good, wrong, good)

    assert isinstance(failed, BackendRefused)
    assert re.search(reason, str(failed))
    assert isinstance(first, Completion)
    assert isinstance(last, Completion)
    assert first.text == last.text


async def test_a_reply_ends_where_the_context_does(tiny: LoadedModel, opened: Opener) -> None:
    async with opened(tiny) as model:
        completion = await model.complete(asking("x" * 420, max_tokens=5000, ignore_eos=True))

    assert completion.finish == "length"
    assert completion.usage.total_tokens == 512


async def speaking(model: HuggingFaceBackend) -> None:
    """Until something is under way: a request of one token among the others is answered, or a row taken."""
    while not model.statistics()["steps"]:
        await anyio.lowlevel.checkpoint()
