"""Embedders: the packaged table makes sense of sentences, and any OpenAI-compatible endpoint is asked in its wire."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from aiohttp import web

from playact.backends.openai_embedder import OpenAIEmbedder
from playact.backends.registry import embedder_named
from playact.backends.static_embedder import StaticEmbedder
from playact.engine.clock import RealClock
from playact.engine.embedding import Embeddings
from playact.engine.errors import (
    BackendOverloaded,
    BackendRefused,
    BackendUnavailable,
    KeyMissing,
    PlayactError,
    ReplyInvalid,
    SetupError,
)

# A sentence, and one that means the same in other words; each of the others is about something else.
PAIRS = {
    "Could you say that again, please?": "Sorry, can you repeat what you just said?",
    "I would like my money back.": "Can I get a refund for this purchase?",
    "The package has not arrived yet.": "My delivery is late, where is the parcel?",
    "Which medicine should I take against the pain?": "Is there a drug that helps with my headache?",
    "I want to book a table for two tonight.": "Do you have a free table in your restaurant this evening?",
    "My computer does not start any more.": "The laptop won't turn on since this morning.",
    "How is the weather going to be tomorrow?": "Will it rain on the next day?",
    "Please transfer two hundred euros to my savings account.": "I need to move money to another bank account.",
    "When does the next train to Paris leave?": "What time is the railway connection to the French capital?",
    "The soup was cold and the waiter was rude.": "We had bad food and poor service in that restaurant.",
}


@pytest.mark.anyio
async def test_of_ten_sentences_the_packaged_table_finds_the_one_that_means_the_same() -> None:
    """Chance would find one of ten."""
    async with Embeddings.opened("static", RealClock()) as embeddings:
        texts = list(PAIRS.values())
        found = [(await embeddings.nearest(text, texts, 1))[0] for text in PAIRS]

    assert sum(place == nearest for place, nearest in enumerate(found)) >= 9


@pytest.mark.anyio
async def test_a_vector_depends_on_its_text_alone() -> None:
    embedder = StaticEmbedder()
    await embedder.open()

    together = await embedder.embed([*PAIRS, "", "naïve 🎭"])
    alone = [(await embedder.embed([text]))[0] for text in PAIRS]
    await embedder.aclose()

    assert list(together[: len(PAIRS)]) == alone
    assert {len(vector) for vector in together} == {256}
    assert set(together[-2]) == {0.0}


@pytest.mark.anyio
async def test_before_it_is_open_and_after_it_is_closed_it_says_so() -> None:
    embedder = embedder_named("static")

    with pytest.raises(PlayactError, match="is not open"):
        await embedder.embed(["a"])


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SetupError, match='say "static"'):
        embedder_named("static:large")
    with pytest.raises(SetupError, match="say which model embeds"):
        embedder_named("openai")


class Endpoint:
    """A real server on 127.0.0.1 with `/v1/embeddings`; its vectors count letters, the last text's first."""

    def __init__(self, answer: Callable[[], web.Response] | None = None) -> None:
        self.asked: list[tuple[dict[str, object], str]] = []
        self._answer = answer

    async def __aenter__(self) -> Endpoint:
        app = web.Application()
        app.router.add_post("/v1/embeddings", self._embeddings)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append((body, request.headers.get("authorization", "")))
        if self._answer is not None:
            return self._answer()
        rows = [{"index": i, "embedding": [len(t), 1]} for i, t in enumerate(body["input"])]
        return web.json_response({"object": "list", "data": rows[::-1], "usage": {"prompt_tokens": 3}})


@pytest.mark.asyncio
async def test_an_endpoint_is_asked_for_all_texts_at_once_and_answers_in_any_order() -> None:
    async with Endpoint() as endpoint:
        embedder = OpenAIEmbedder("small", base_url=endpoint.url, api_key="a-secret-key")
        await embedder.open()
        vectors = await embedder.embed(["a", "bbb"])
        await embedder.aclose()

    assert vectors == [[1.0, 1.0], [3.0, 1.0]]
    assert endpoint.asked == [
        ({"model": "small", "input": ["a", "bbb"], "encoding_format": "float"}, "Bearer a-secret-key")
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, {"error": {"message": "slow down a-secret-key"}}, BackendOverloaded),
        (500, {"error": {"message": "oh"}}, BackendUnavailable),
        (400, {"error": {"message": "too long"}}, BackendRefused),
        (200, {"data": []}, ReplyInvalid),
        (200, {"data": [{"index": 0, "embedding": "x"}]}, ReplyInvalid),
        (200, [], ReplyInvalid),
    ],
)
async def test_what_goes_wrong_has_its_error_and_no_key_in_it(
    status: int, body: object, error: type[Exception]
) -> None:
    async with Endpoint(lambda: web.Response(text=json.dumps(body), status=status)) as endpoint:
        embedder = OpenAIEmbedder("small", base_url=endpoint.url, api_key="a-secret-key")
        await embedder.open()

        with pytest.raises(error) as raised:
            await embedder.embed(["a"])
        await embedder.aclose()

    assert "a-secret-key" not in str(raised.value)
    assert "a-secret-key" not in repr(embedder)


@pytest.mark.asyncio
async def test_the_vendor_needs_a_key_and_others_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    with pytest.raises(KeyMissing):
        await OpenAIEmbedder("small").open()
    with pytest.raises(SetupError):
        await OpenAIEmbedder("small", base_url="nowhere").open()
