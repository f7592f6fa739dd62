"""Replies kept in a file: found again by what was asked, never another's, and no call fails for the file's sake."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors import Agent, Persona, Scenario
from playact.backends.cache import CachedBackend, key_of
from playact.backends.cache_file import CacheFile
from playact.backends.scripted import ScriptedBackend
from playact.engine import Budget, Cache, Completion, CompletionRequest, Hedge, Message, Parameters, Simulation, Usage
from playact.engine.completion import Delta, RecallingBackend, TokenLogprob, ToolCall, ToolSpec
from playact.engine.digest import DatasetDigest
from playact.engine.errors import BackendRefused, BackendUnavailable, FileInvalid, PlayactError, SetupError
from playact.engine.journal import JournalFile

pytestmark = pytest.mark.anyio

HELLO = CompletionRequest(messages=(Message("user", "Hi!"),), seed=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replies.db"


@asynccontextmanager
async def opened(backend: Any, path: Path, **settings: Any) -> AsyncIterator[CachedBackend]:
    cached = CachedBackend(backend, path, **settings)
    try:
        await cached.open()
        yield cached
    finally:
        await cached.aclose()


def echo() -> ScriptedBackend:
    return ScriptedBackend(lambda request: f"You said {request.messages[-1].text}, {request.seed}.")


class TestWhatIsKept:
    async def test_what_was_asked_before_costs_no_second_call(self, path: Path) -> None:
        async with opened(echo(), path) as first:
            asked = await first.complete(HELLO)
            numbers = first.statistics()
        inner = echo()
        async with opened(inner, path) as again:
            known = again.recall(HELLO)
            completed = await again.complete(HELLO)

        assert not asked.is_cached
        assert (numbers["hits"], numbers["misses"], numbers["lost"]) == (0, 1, 0)
        assert known == completed == replace(asked, is_cached=True)
        assert inner.statistics()["calls"] == 0
        assert isinstance(again, RecallingBackend)

    async def test_it_comes_back_with_all_that_was_in_it(self, path: Path) -> None:
        whole = Completion(
            text="Grüße \ud83d 世界\n",
            thinking="Hm.",
            tool_calls=(ToolCall("a", "weather", "{}"),),
            usage=Usage(9, 4, 6),
            finish="length",
            model="m-2026",
            logprobs=(TokenLogprob("Hi", -0.25),),
            calls=2,
        )

        async with opened(ScriptedBackend([whole]), path) as cached:
            await cached.complete(HELLO)
        async with opened(ScriptedBackend([]), path) as cached:
            known = cached.recall(HELLO)

        assert known == replace(whole, is_cached=True, calls=1)

    async def test_a_reply_is_known_as_soon_as_it_is_there(self, path: Path) -> None:
        async with opened(echo(), path) as cached:
            completion = await cached.complete(HELLO)

            assert cached.recall(HELLO) == replace(completion, is_cached=True)

    async def test_a_failure_is_not_kept(self, path: Path) -> None:
        def fail_once(request: CompletionRequest) -> str:
            if inner.statistics()["calls"] == 1:
                raise BackendUnavailable("m", "down")
            return "Hello."

        inner = ScriptedBackend(fail_once)
        async with opened(inner, path) as cached:
            with pytest.raises(BackendUnavailable):
                await cached.complete(HELLO)
            assert (await cached.complete(HELLO)).text == "Hello."

    async def test_streams_are_kept_and_known_again(self, path: Path) -> None:
        async with opened(echo(), path) as cached:
            for _ in range(2):
                async with aclosing(cached.stream(HELLO)) as stream:
                    deltas = [delta async for delta in stream]

        assert deltas[0] == Delta("You said Hi!, 7.")
        assert deltas[-1].completion is not None
        assert deltas[-1].completion.is_cached

    async def test_nothing_that_was_asked_is_in_the_file(self, path: Path) -> None:
        secret = "sk-a-key-that-nobody-may-see"
        request = CompletionRequest(
            messages=(Message("user", "a very private question"),), parameters=Parameters(extra={"api_key": secret})
        )

        async with opened(ScriptedBackend(["Yes."]), path) as cached:
            await cached.complete(request)

        held = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"Yes." in held
        assert secret.encode() not in held
        assert b"private question" not in held

    async def test_one_file_is_shared_by_models_and_by_those_who_open_it_at_once(self, path: Path) -> None:
        async def play(number: int) -> None:
            async with opened(ScriptedBackend([f"I am {number}."], name=f"m:{number}"), path) as cached:
                await cached.complete(HELLO)

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(play, number)

        for number in range(8):
            async with opened(ScriptedBackend([], name=f"m:{number}"), path) as cached:
                assert (await cached.complete(HELLO)).text == f"I am {number}."
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    async def test_another_process_finds_what_this_one_keeps(self, path: Path) -> None:
        async with opened(echo(), path) as cached:
            await cached.complete(HELLO)
            await anyio.to_thread.run_sync(cached._writer.close)  # type: ignore[union-attr]  # it is open
            program = (
                "import sys; from pathlib import Path; from playact.backends.cache_file import CacheFile;"
                "from tests.backends.test_cache import HELLO; from playact.backends.cache import key_of;"
                "print(CacheFile(Path(sys.argv[1])).get(key_of(HELLO, 'scripted')).text)"
            )
            result = await anyio.run_process([sys.executable, "-c", program, str(path)])

        assert result.stdout.decode().strip() == "You said Hi!, 7."


class TestKeys:
    OTHERS: tuple[Callable[[CompletionRequest], CompletionRequest], ...] = (
        lambda request: replace(request, messages=(Message("user", "Hi?"),)),
        lambda request: replace(request, messages=(Message("system", "Hi!"),)),
        lambda request: replace(request, messages=(Message("user", "Hi!", tool_call_id="a"),)),
        lambda request: replace(request, model="other"),
        lambda request: replace(request, seed=8),
        lambda request: replace(request, seed=None),
        lambda request: replace(request, think=True),
        lambda request: replace(request, think="low"),
        lambda request: replace(request, tools=(ToolSpec("weather", "", {}),)),
        lambda request: replace(request, response_schema={"type": "object"}),
        lambda request: replace(request, parameters=Parameters(temperature=0.5)),
        lambda request: replace(request, parameters=Parameters(stop=("\n",))),
        lambda request: replace(request, parameters=Parameters(extra={"top_k": 3})),
    )

    def test_all_that_shapes_a_reply_is_in_the_key(self) -> None:
        keys = {key_of(other(HELLO), "m") for other in (lambda request: request, *self.OTHERS)}
        keys |= {key_of(HELLO, "other"), key_of(HELLO, "m", Parameters(temperature=0.5))}

        assert len(keys) == len(self.OTHERS) + 3

    @given(st.text(), st.integers(), st.integers(), st.integers())
    def test_who_asks_and_how_often_is_not(self, dialog: str, sequence: int, attempt: int, age: int) -> None:
        again = replace(HELLO, dialog=dialog, sequence=sequence, attempt=attempt, age=age)

        assert key_of(again, "m") == key_of(HELLO, "m")

    @given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
    def test_the_order_and_the_kind_of_mappings_are_not(self, extra: Mapping[str, object]) -> None:
        turned = MappingProxyType(dict(reversed(list(extra.items()))))

        keys = {key_of(replace(HELLO, parameters=Parameters(extra=each)), "m") for each in (extra, turned)}

        assert len(keys) == 1

    def test_a_key_is_the_same_in_every_process_for_ever(self) -> None:
        program = "from tests.backends.test_cache import *; print(key_of(HELLO, 'm').hex())"
        outcomes = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout.strip()
            for seed in ("1", "2")
        }

        assert outcomes == {"ca94830758e0e703e0871f1c6c0b11a328e87353fd379e60dd8c5ea227762d44"}

    async def test_how_the_backend_samples_by_itself_is_in_the_key(self, path: Path) -> None:
        class Warm(ScriptedBackend):
            defaults = Parameters(temperature=1.5)

        async with opened(ScriptedBackend(["cold"]), path) as cached:
            await cached.complete(HELLO)
        async with opened(Warm(["warm"]), path) as cached:
            assert (await cached.complete(HELLO)).text == "warm"

    async def test_a_parameter_that_no_json_can_say_is_refused_in_one_line(self, path: Path) -> None:
        request = replace(HELLO, parameters=Parameters(extra={"processor": object()}))

        async with opened(echo(), path) as cached:
            with pytest.raises(SetupError, match="object is no JSON; leave the cache out"):
                cached.recall(request)


class TestModes:
    async def test_recording_asks_for_everything_and_keeps_the_newest(self, path: Path) -> None:
        for reply in ("old", "new"):
            async with opened(ScriptedBackend([reply]), path, mode="record") as cached:
                assert cached.recall(HELLO) is None
                assert (await cached.complete(HELLO)).text == reply

        async with opened(ScriptedBackend([]), path) as cached:
            assert (await cached.complete(HELLO)).text == "new"

    async def test_in_use_the_first_reply_stays(self, path: Path) -> None:
        async with opened(ScriptedBackend(["old", "new"]), path) as one, opened(ScriptedBackend(["new"]), path) as two:
            with closing(CacheFile(path)) as file:
                file.put([(key_of(HELLO, "scripted"), Completion(text="first"))], replaces=False)
                file.put([(key_of(HELLO, "scripted"), Completion(text="second"))], replaces=False)
            assert [(await each.complete(HELLO)).text for each in (one, two)] == ["first", "first"]

    async def test_a_replay_asks_no_model_and_says_what_is_missing(self, path: Path) -> None:
        class Closed(ScriptedBackend):
            async def open(self) -> None:
                raise SetupError("there is no key")

        async with opened(echo(), path) as cached:
            await cached.complete(HELLO)
        async with opened(Closed(), path, mode="replay") as cached:
            completion = await cached.complete(HELLO)
            with pytest.raises(BackendRefused, match=r"no reply to call 3 of dialog d \(key [0-9a-f]{16}\)"):
                await cached.complete(replace(HELLO, seed=8, dialog="d", sequence=3))

        assert completion.text == "You said Hi!, 7."

    async def test_a_backend_that_cannot_be_opened_leaves_no_file(self, path: Path) -> None:
        class Keyless(ScriptedBackend):
            async def open(self) -> None:
                raise SetupError("there is no key")

        with pytest.raises(SetupError, match="there is no key"):
            async with opened(Keyless(), path):
                pass

        assert list(path.parent.iterdir()) == []

    async def test_a_replay_needs_a_file_and_leaves_it_as_it_is(self, path: Path) -> None:
        with pytest.raises(FileInvalid, match="there is no such cache"):
            async with opened(echo(), path, mode="replay"):
                pass

        assert list(path.parent.iterdir()) == []

    async def test_a_cache_that_is_not_open_says_so(self, path: Path) -> None:
        with pytest.raises(PlayactError, match="not open"):
            await CachedBackend(echo(), path).complete(HELLO)

    def test_a_mode_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="use, record, replay"):
            Cache(path="x", mode="guess")  # type: ignore[arg-type]  # as out of a file


class TestDamage:
    async def test_a_damaged_reply_is_an_error_never_another_reply(self, path: Path) -> None:
        async with opened(echo(), path) as cached:
            await cached.complete(HELLO)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE replies SET reply = replace(reply, 'Hi!', 'No!')")

        async with opened(echo(), path) as cached:
            with pytest.raises(FileInvalid, match="is damaged: a reply in it is not as it was written"):
                cached.recall(HELLO)

    async def test_a_reply_under_anothers_key_is_damage_too(self, path: Path) -> None:
        other = replace(HELLO, seed=8)
        async with opened(echo(), path) as cached:
            await cached.complete(HELLO)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE replies SET key = ?", (key_of(other, "scripted"),))

        async with opened(echo(), path) as cached:
            with pytest.raises(FileInvalid):
                await cached.complete(other)

    @pytest.mark.parametrize("place", [0, 20, 64, 5000])
    def test_a_damaged_file_is_told_in_one_line(self, path: Path, place: int) -> None:
        with closing(CacheFile(path)) as file:
            file.put([(bytes([n]) * 32, Completion(text="word " * 100)) for n in range(100)], replaces=False)
        content = bytearray(path.read_bytes())
        content[place : place + 4000] = b"\xa5" * 4000
        path.write_bytes(content)

        with pytest.raises(FileInvalid) as caught:
            file = CacheFile(path)
            try:
                for n in range(100):
                    file.get(bytes([n]) * 32)
            finally:
                file.close()

        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"some notes of mine\n" * 100])
    def test_what_is_no_cache_is_left_alone(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)

        with pytest.raises(FileInvalid, match="no cache of playact"):
            CacheFile(path)

        assert path.read_bytes() == content

    async def test_a_journal_is_no_cache(self, path: Path) -> None:
        scenario = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=2)
        async with Simulation(model=ScriptedBackend(), journal=path, seed=1) as simulation:
            await simulation.play(scenario)

        with pytest.raises(FileInvalid, match="is no cache of playact"):
            async with opened(echo(), path):
                pass

    @pytest.mark.parametrize("where", [".", "missing/replies.db"])
    async def test_a_place_where_no_file_can_be_is_told(self, tmp_path: Path, where: str) -> None:
        with pytest.raises(FileInvalid):
            async with opened(echo(), tmp_path / where):
                pass

    async def test_a_full_disk_costs_what_cannot_be_kept_and_is_told_once(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with closing(CacheFile(path)), closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON replies "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )

        async with opened(echo(), path) as cached:
            texts = [(await cached.complete(replace(HELLO, seed=seed))).text for seed in range(3)]
            writer = cached._writer

        assert texts == [f"You said Hi!, {seed}." for seed in range(3)]
        assert [message.count("cache.unwritable") for message in caplog.messages] == [1]
        assert writer is not None
        assert (writer.stored, writer.lost) == (0, 3)


class TestRuns:
    SCENARIO = Scenario(cast=(Agent(Persona(name="Ann")), Agent(Persona(name="Ben"))), max_turns=4)

    async def played(self, model: ScriptedBackend, **settings: Any) -> tuple[str, Any]:
        digest = DatasetDigest()
        async with Simulation(model=model, seed=3, **settings) as simulation:
            async for dialog in simulation.run([self.SCENARIO] * 5):
                assert dialog.ending is not None
                assert not dialog.ending.failed
                digest.add(dialog)
            return digest.hexdigest(), simulation.statistics()

    async def test_a_second_run_makes_no_call_and_says_the_same(self, path: Path) -> None:
        plain, _ = await self.played(ScriptedBackend())
        first, asked = await self.played(ScriptedBackend(), cache=path)
        inner = ScriptedBackend()
        second, known = await self.played(inner, cache=str(path), hedge=Hedge())

        assert plain == first == second
        assert (asked.calls, asked.recalled) == (20, 0)
        assert (known.calls, known.recalled, known.prompt_tokens, known.usd) == (0, 20, 0, 0)
        assert inner.statistics()["calls"] == 0

    async def test_what_is_known_needs_no_money_no_room_and_no_model(self, path: Path) -> None:
        await self.played(ScriptedBackend(), cache=path)

        _, known = await self.played(
            ScriptedBackend([]),
            cache=Cache(path=str(path), mode="replay"),
            budget=Budget(calls=1, tokens=1),
            in_flight=1,
        )

        assert known.recalled == 20

    async def test_a_journal_tells_what_was_known_from_what_was_paid(self, path: Path, tmp_path: Path) -> None:
        await self.played(ScriptedBackend(), cache=path)
        journal = tmp_path / "run.db"
        digest, _ = await self.played(ScriptedBackend(), cache=path, journal=journal, budget=Budget(calls=100))

        with closing(JournalFile.read(journal)) as file:
            tally = file.tally()
        again = DatasetDigest()
        async with Simulation.replay(journal) as replay:
            async for dialog in replay.run():
                again.add(dialog)

        assert (tally.calls, tally.prompt_tokens, tally.spent.calls, tally.turns) == (0, 0, 0, 20)
        assert again.hexdigest() == digest

    async def test_a_resumed_run_goes_on_with_its_cache(self, path: Path, tmp_path: Path) -> None:
        journal = tmp_path / "run.db"
        await self.played(ScriptedBackend(), cache=path)
        model = ScriptedBackend()
        async with Simulation(model=model, seed=3, journal=journal, cache=path) as simulation:
            async for _ in simulation.run([self.SCENARIO] * 5, first=2):
                pass

        async with Simulation.resume(journal, model=model) as simulation:
            dialogs = [dialog async for dialog in simulation.run()]

        assert len(dialogs) == 3
        assert simulation.statistics().recalled == 12
        assert model.statistics()["calls"] == 0
