"""What a person sees of a run that is under way."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace

import anyio
import pytest
from trio.testing import MockClock

from playact.actors.progress import Progress, duration, shown_progress
from playact.engine import Statistics
from playact.engine.statistics import LaneStatistics, Obstacle

BEGUN = Statistics(
    live=4,
    ended={},
    turns=0,
    calls=0,
    calls_in_flight=0,
    calls_waiting=0,
    failed_calls=0,
    retries=0,
    prompt_tokens=0,
    completion_tokens=0,
    cached_tokens=0,
    usd=0.0,
    failing=0,
    actor_failures=0,
    actor_restarts=0,
    dead_letters=0,
    seconds=0.0,
)
HALF_WAY = replace(BEGUN, ended={"finished": 40, "failed": 10}, turns=400, completion_tokens=9000, seconds=20.0)


@pytest.fixture
def anyio_backend() -> tuple[str, Mapping[str, object]]:
    """Time passes at once when all wait."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class GoneScreen(Screen):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


class GonePipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


async def shown_in_12_s(out: io.StringIO, *, is_quiet: bool = False) -> None:
    async with shown_progress(Progress(100), lambda: HALF_WAY, out, is_quiet=is_quiet):
        await anyio.sleep(12)


def test_a_line_tells_dialogs_rates_failures_and_the_time_left() -> None:
    line = Progress(100).line(HALF_WAY)

    assert line == "50/100 dialogs · 4 live · 20.0 turns/s · 450 tokens/s · 10 failed · 20 s left"


def test_before_the_first_dialog_has_ended_nobody_knows_the_time_left() -> None:
    assert Progress(100).line(BEGUN).endswith("· 0 s so far")
    assert Progress(100).line(replace(BEGUN, seconds=75.0)).endswith("· 1 min 15 s so far")


def test_retries_are_told_when_there_are_some() -> None:
    assert "retries" not in Progress(100).line(HALF_WAY)
    assert "· 3 retries ·" in Progress(100).line(replace(HALF_WAY, retries=3))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min"), (90061, "25 h 01 min")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.anyio
async def test_what_is_no_terminal_gets_a_plain_line_now_and_then() -> None:
    out = io.StringIO()

    await shown_in_12_s(out)

    assert out.getvalue() == f"{Progress(100).line(HALF_WAY)}\n" * 2


@pytest.mark.anyio
async def test_a_terminal_has_one_line_that_renews_itself_and_goes_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Screen()

    await shown_in_12_s(out)

    assert out.getvalue().count("50/100 dialogs") > 12
    assert out.getvalue().endswith("\x1b[2K")


@pytest.mark.anyio
async def test_quiet_shows_nothing() -> None:
    out = Screen()

    await shown_in_12_s(out, is_quiet=True)

    assert out.getvalue() == ""


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [GoneScreen, GonePipe])
async def test_a_screen_or_a_reader_that_has_gone_does_not_end_the_run(kind: type[io.StringIO]) -> None:
    await shown_in_12_s(kind())


def test_the_time_left_counts_what_the_live_dialogs_have_got_so_far() -> None:
    first_is_over = replace(BEGUN, ended={"turn_limit": 1}, turns=180, live_turns=176, seconds=90.0)

    assert Progress(50).line(first_is_over).endswith("· 10 s left")  # 20 turns at two a second


def test_dialogs_that_ended_without_a_turn_tell_the_time_left_by_their_number() -> None:
    all_failed = replace(BEGUN, ended={"failed": 10}, seconds=5.0)

    assert Progress(50).line(all_failed).endswith("· 20 s left")


@pytest.mark.parametrize(
    ("obstacle", "looks_again_s", "told"),
    [
        ("pace", 11.2, "3 calls waiting for openai:x (at the pace that was set, 12 s)"),
        ("retry_after", 5.0, "3 calls waiting for openai:x (it said to come back later, 5 s)"),
        ("circuit", None, "3 calls waiting for openai:x (it is down)"),
    ],
)
def test_a_backend_that_makes_calls_wait_is_named_with_its_reason(
    obstacle: Obstacle, looks_again_s: float | None, told: str
) -> None:
    lane = LaneStatistics(in_flight=0, waiting=3, limit=None, waits_for=obstacle, looks_again_s=looks_again_s)

    assert told in Progress(100).line(replace(HALF_WAY, lanes={"openai:x": lane}))


def test_calls_that_wait_for_room_are_nothing_to_tell() -> None:
    lane = LaneStatistics(in_flight=8, waiting=3, limit=8, waits_for="room", looks_again_s=None)

    assert "waiting" not in Progress(100).line(replace(HALF_WAY, lanes={"embedded": lane}))
