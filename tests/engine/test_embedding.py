"""An embedder as a run shares it: calls are joined, tried again, and never lost with whoever made them."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from playact.engine.clock import RealClock
from playact.engine.embedding import Embeddings, Vector, embedder_named
from playact.engine.errors import BackendRefused, BackendUnavailable, ReplyInvalid, SetupError
from playact.engine.retry import Retry

pytestmark = pytest.mark.anyio

AT_ONCE = Retry(first_s=0.0, attempts=3)


class Lengths:
    """A vector of two numbers: how many letters, how many words. Its calls wait for `gate`, and fail first."""

    name = "lengths"

    def __init__(self, *failures: Exception) -> None:
        self.asked: list[list[str]] = []
        self.gate = anyio.Event()
        self.is_open = False
        self._failures = list(failures)

    async def open(self) -> None:
        self.is_open = True

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.asked.append(list(texts))
        await self.gate.wait()
        if self._failures:
            raise self._failures.pop(0)
        return [(float(len(text)), float(len(text.split()))) for text in texts]

    async def aclose(self) -> None:
        self.is_open = False


def shared(embedder: Lengths, *, goes: bool = True) -> Embeddings:
    if goes:
        embedder.gate.set()
    return Embeddings(embedder, RealClock(), AT_ONCE)


async def test_the_nearest_come_first_and_what_is_compared_with_is_embedded_once() -> None:
    embedder = Lengths()
    embeddings = shared(embedder)
    texts = ["aaaaaaaaaaaa", "a b c d", "aa bb cc"]

    assert await embeddings.nearest("x y z", texts, 2) == [1, 2]
    assert await embeddings.nearest("xxxxxxxxxx", texts, 5) == [0, 2, 1]
    assert embedder.asked == [texts, ["x y z"], ["xxxxxxxxxx"]]


async def test_of_equals_the_earlier_comes_first() -> None:
    assert await shared(Lengths()).nearest("a", ["b", "c", "d"], 2) == [0, 1]


async def test_vectors_have_the_length_one() -> None:
    ((first, second),) = await shared(Lengths()).of(["abcd efgh"])

    assert first**2 + second**2 == pytest.approx(1)


async def test_what_comes_while_a_call_is_under_way_goes_together_with_the_next() -> None:
    embedder = Lengths()
    embeddings = shared(embedder, goes=False)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embeddings.of, ["first"])
        await anyio.wait_all_tasks_blocked()
        for text in ("a", "b", "c", "b"):
            tasks.start_soon(embeddings.of, [text])
        await anyio.wait_all_tasks_blocked()
        embedder.gate.set()

    assert [sorted(texts) for texts in embedder.asked] == [["first"], ["a", "b", "c"]]


async def test_when_who_calls_is_cancelled_another_calls_for_the_rest() -> None:
    embedder = Lengths()
    embeddings = shared(embedder, goes=False)
    found: list[Vector] = []

    async def ask() -> None:
        found.extend(await embeddings.of(["kept"]))

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as given_up:
            async with anyio.create_task_group() as other:
                other.start_soon(embeddings.of, ["lost"])
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                given_up.cancel()
        embedder.gate.set()

    assert len(found) == 1
    assert embedder.asked == [["lost"], ["kept"]]


async def test_a_call_that_fails_is_tried_again_and_given_up_in_the_end() -> None:
    cut = [BackendUnavailable("lengths", "cut") for _ in range(5)]
    embedder = Lengths(*cut)
    embeddings = shared(embedder)

    with pytest.raises(BackendUnavailable):
        await embeddings.of(["a"])
    assert len(await embeddings.of(["a"])) == 1
    assert len(embedder.asked) == 3 + 3


async def test_what_trying_again_cannot_help_fails_at_once_for_all_that_went_together() -> None:
    embedder = Lengths(BackendRefused("lengths", "no"), BackendRefused("lengths", "no"))
    embeddings = shared(embedder, goes=False)
    failed: list[str] = []

    async def ask(text: str) -> None:
        with pytest.raises(BackendRefused):
            await embeddings.of([text])
        failed.append(text)

    async with anyio.create_task_group() as tasks:
        for text in "abc":
            tasks.start_soon(ask, text)
        await anyio.wait_all_tasks_blocked()
        embedder.gate.set()

    assert sorted(failed) == ["a", "b", "c"]
    assert [sorted(texts) for texts in embedder.asked] == [["a", "b", "c"]]


@pytest.mark.parametrize("vectors", [[], [[1.0], [1.0, 2.0]], [[float("nan")], [1.0]]])
async def test_vectors_that_are_none_are_refused(vectors: list[list[float]]) -> None:
    class Odd(Lengths):
        async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
            return vectors

    with pytest.raises(ReplyInvalid):
        await shared(Odd()).of(["a", "b"])


async def test_it_is_opened_and_closed_with_the_run() -> None:
    embedder = Lengths()
    embedder.gate.set()

    async with Embeddings.opened(embedder, RealClock()) as embeddings:
        assert embedder.is_open
        await embeddings.of(["a"])

    assert not embedder.is_open


def test_one_that_nobody_offers_is_refused_by_name() -> None:
    with pytest.raises(SetupError, match=r'no embedder "astrology"; there are .*static'):
        embedder_named("astrology")
