"""How fast a backend may be asked: laws of the minute, of the window that refusals make, and of the knee."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.completion import CompletionRequest, Message, Parameters, Usage
from playact.engine.knee import Knee
from playact.engine.pace import Pace, Pacer, pace_of
from playact.engine.rate import Rate
from playact.engine.retry import Failure, Verdict
from playact.engine.scheduler import Call, Lane
from playact.engine.window import Window

MINUTE_S = 60.0
gaps = st.floats(0, 40).map(lambda seconds: round(seconds, 3))
NO_USAGE = Usage()
REQUEST = CompletionRequest(messages=(Message("user", "x" * 200),), parameters=Parameters(max_tokens=100))


@given(st.integers(1, 5), st.lists(st.tuples(gaps, st.integers(1, 7), st.booleans()), max_size=60))
def test_no_minute_however_it_lies_has_more_than_the_limit_and_nothing_waits_that_need_not(
    limit: int, steps: list[tuple[float, int, bool]]
) -> None:
    """Some of what is taken is sent at once, some only when the next comes."""
    rate, now, sent, late = Rate(limit), 0.0, list[tuple[float, int]](), dict[int, int]()
    for key, (gap, amount, is_late) in enumerate(steps):
        now += gap
        for other, its_amount in late.items():
            rate.sent(other, now)
            sent.append((now, its_amount))
        late.clear()
        counts = sum(its for at, its in sent if at + MINUTE_S > now)

        assert rate.lets(amount, now) == (counts + amount <= limit or not counts)

        if rate.lets(amount, now):
            rate.take(key, amount)
            if is_late:
                late[key] = amount
            else:
                rate.sent(key, now)
                sent.append((now, amount))
    for at, own in sent:
        assert sum(its for other, its in sent if other <= at < other + MINUTE_S) <= max(limit, own)


@given(st.integers(1, 50), st.lists(st.tuples(gaps, st.integers(1, 30)), max_size=30), st.integers(1, 60))
def test_what_may_not_go_now_may_go_when_it_is_due_and_not_before(
    limit: int, taken: list[tuple[float, int]], amount: int
) -> None:
    rate, now = Rate(limit), 0.0
    for key, (gap, its_amount) in enumerate(taken):
        now += gap
        if rate.lets(its_amount, now):
            rate.take(key, its_amount)
            rate.sent(key, now)

    if not rate.lets(amount, now):
        due = rate.due(amount, now)

        assert not rate.lets(amount, math.nextafter(due, 0))
        assert rate.lets(amount, due)


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 10), gaps), max_size=30))
def test_what_is_learned_later_counts_as_if_it_had_been_known(calls: list[tuple[int, int, float]]) -> None:
    learned, known, now = Rate(40), Rate(40), 0.0
    for key, (guess, truth, gap) in enumerate(calls):
        now += gap
        for rate, amount in ((learned, guess), (known, truth)):
            rate.lets(0, now)
            rate.take(key, amount)
            rate.sent(key, now)
        learned.over(key, truth)

        assert repr(learned) == repr(known)


def test_what_was_taken_and_never_sent_does_not_count() -> None:
    rate = Rate(1)
    rate.take("a", 1)
    assert not rate.lets(1, 0.0)

    rate.over("a")

    assert rate.lets(1, 0.0)


def test_a_call_that_is_larger_than_a_minute_allows_goes_alone() -> None:
    rate = Rate(100)
    rate.take("small", 1)
    rate.sent("small", 0.0)

    assert not rate.lets(500, 59.0)
    assert rate.lets(500, rate.due(500, 59.0))


def test_a_window_has_no_limit_until_something_is_refused() -> None:
    window = Window()

    assert window.has_room(10**9)


def test_refusals_leave_as_many_in_flight_as_were_not_refused() -> None:
    window, in_flight = Window(), 1000
    for _ in range(1000 - 300):
        window.refused(0.0, in_flight, 0.1)
        in_flight -= 1

    assert window.size == 300


def test_the_refusals_of_one_round_leave_a_quarter_at_least() -> None:
    window, in_flight = Window(), 1000
    for _ in range(1000):
        window.refused(0.0, in_flight, 0.1)
        in_flight -= 1

    assert window.size == 250


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 3000), gaps), max_size=200), st.booleans())
def test_a_window_is_never_below_its_least_and_a_refusal_never_makes_it_larger(
    least: int, steps: list[tuple[bool, int, float]], ramp: bool
) -> None:
    window, now, in_flight = Window(least, ramp=ramp), 0.0, 0
    for is_refused, more, gap in steps:
        now += gap
        in_flight = max(1, more if window.size is None else min(more, int(window.size)))
        before = window.size
        if is_refused:
            window.refused(now - gap, in_flight, now)
            assert window.size is not None
            assert window.size <= (in_flight if before is None else before) or window.size == least
        else:
            window.answered(in_flight, now)
            assert before is None or (window.size is not None and before <= window.size <= before + 1)

        assert window.size is None or window.size >= least


def test_after_a_refusal_a_window_stands_and_then_grows_by_about_a_sixteenth_a_round_trip() -> None:
    window = Window()
    window.refused(0.0, 101, 0.0)
    for _ in range(100):
        window.answered(100, 29.0)
    assert window.size == 100

    for _ in range(100):
        window.answered(int(window.size), 31.0)

    assert window.size == pytest.approx(100 * 17 / 16, abs=0.1)


def test_a_ramp_doubles_with_each_round_trip_until_something_is_refused() -> None:
    window, sizes = Window(ramp=True), []
    for _ in range(4):
        assert window.size is not None
        sizes.append(size := int(window.size))
        for _ in range(size):
            window.answered(int(window.size), 0.0)
    window.refused(0.0, 100, 0.0)
    window.answered(99, 100.0)

    assert sizes == [16, 32, 64, 128]
    assert window.size == pytest.approx(99, abs=0.1)


class Server:
    """Refuses nobody: `places` calls are worked on at once, the others wait inside. Times in virtual seconds.

    `swing` is the coefficient of variation of how long a reply takes.
    """

    def __init__(self, places: int, reply_s: float, swing: float, seed: int) -> None:
        self.places = places
        self.reply_s = reply_s
        self.now = 0.0
        self.replies = 0
        self._spread = math.sqrt(math.log(1 + swing**2))
        self._luck = random.Random(seed)
        self._in_flight = 0
        self._waiting: deque[float] = deque()
        self._working: list[tuple[float, float]] = []

    def serve(self, knee: Knee, *, until: float, callers: int = 4000) -> None:
        """As many callers as there may be ask, and ask again."""
        while self.now < until:
            while knee.has_room(self._in_flight) and self._in_flight < callers:
                self._in_flight += 1
                self._waiting.append(self.now)
            while self._waiting and len(self._working) < self.places:
                takes_s = self.reply_s * self._luck.lognormvariate(-(self._spread**2) / 2, self._spread)
                heapq.heappush(self._working, (self.now + takes_s, self._waiting.popleft()))
            self.now, began = heapq.heappop(self._working)
            knee.answered(began, self._in_flight, self.now)
            self._in_flight -= 1
            self.replies += 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("places", "reply_s", "swing"), [(4, 0.2, 0.5), (16, 1.0, 1.0), (64, 0.2, 0.5), (64, 2.0, 1.0), (500, 0.2, 0.0)]
)
def test_the_knee_of_a_server_is_found_however_noisy_its_replies(
    places: int, reply_s: float, swing: float, seed: int
) -> None:
    server, knee = Server(places, reply_s, swing, seed), Knee()
    server.serve(knee, until=400 * reply_s)
    begun, sizes = server.replies, []
    for moment in range(401, 600):
        server.serve(knee, until=moment * reply_s)
        sizes.append(knee.size)

    assert places / 2 <= sorted(sizes)[len(sizes) // 2] <= 2 * places
    assert server.replies - begun >= 0.85 * places * 199


@pytest.mark.parametrize("swing", [0.0, 0.3, 0.8])
def test_a_server_without_a_knee_is_soon_asked_by_all(swing: float) -> None:
    server, knee = Server(10**6, 0.2, swing, seed=1), Knee()

    server.serve(knee, until=15.0)

    assert knee.size >= 4000


def test_the_knee_is_found_again_when_a_server_becomes_smaller_and_larger() -> None:
    server, knee = Server(200, 0.5, 0.5, seed=4), Knee()
    sizes = []
    for places, until in ((200, 120), (40, 400), (200, 700)):
        server.places = places
        server.serve(knee, until=until)
        sizes.append(knee.size)

    for size, places in zip(sizes, (200, 40, 200), strict=True):
        assert places / 2 <= size <= 2 * places


def test_a_knee_that_nobody_waits_for_stays_where_it_is() -> None:
    server, knee = Server(1000, 0.2, 0.5, seed=1), Knee()

    server.serve(knee, until=100.0, callers=5)

    assert knee.size == Knee().size


def overloaded(retry_after_s: float | None = None) -> Verdict:
    return Verdict(Failure.OVERLOADED, retry_after_s)


def refuse(pacer: Pacer, call: Call, verdict: Verdict, *, began: float, now: float, in_flight: int = 1) -> bool:
    news = pacer.failed(call, verdict, may_have_cost=False, began=began, in_flight=in_flight, now=now)
    pacer.over(call)
    return news


def answer(pacer: Pacer, call: Call, *, began: float, now: float, usage: Usage = NO_USAGE) -> None:
    pacer.answered(call, REQUEST, usage, began=began, in_flight=1, now=now)
    pacer.over(call)


def test_nobody_asks_before_a_retry_after_is_over_and_then_one_call_goes_first() -> None:
    pacer, probe, other = Pacer(Pace()), Call(0, 0), Call(1, 0)
    refuse(pacer, Call(9, 0), overloaded(10.0), began=0.0, now=1.0)

    assert not pacer.lets(probe, 0, 10.9)
    assert pacer.due(probe, 0, 10.9) == 11.0
    assert pacer.lets(probe, 0, 11.0)
    pacer.goes(probe)
    assert not pacer.lets(other, 0, 11.5)
    answer(pacer, probe, began=11.0, now=12.0)
    assert pacer.lets(other, 0, 12.0)


def test_a_probe_that_is_given_up_makes_room_for_another() -> None:
    pacer = Pacer(Pace())
    refuse(pacer, Call(9, 0), overloaded(10.0), began=0.0, now=1.0)
    pacer.goes(Call(0, 0))

    pacer.over(Call(0, 0))

    assert pacer.lets(Call(1, 0), 0, 11.5)


def test_a_late_reply_to_a_call_from_before_does_not_end_a_pause() -> None:
    pacer = Pacer(Pace())
    refuse(pacer, Call(9, 0), overloaded(10.0), began=0.0, now=1.0)

    answer(pacer, Call(1, 0), began=0.5, now=3.0)

    assert not pacer.lets(Call(2, 0), 0, 5.0)


@pytest.mark.parametrize(
    ("pace", "verdict"), [(Pace(adapts=False), overloaded(10.0)), (Pace(), overloaded(9999.0)), (Pace(), overloaded())]
)
def test_there_is_no_pause_where_none_is_wanted_none_reasonable_or_none_asked_for(pace: Pace, verdict: Verdict) -> None:
    pacer = Pacer(pace)

    refuse(pacer, Call(9, 0), verdict, began=0.0, now=1.0)

    assert pacer.lets(Call(0, 0), 0, 1.0)


def test_the_refusals_of_one_burst_are_news_once() -> None:
    pacer = Pacer(Pace())

    news = [refuse(pacer, Call(n, 0), overloaded(1.0), began=0.0, now=1.0 + n, in_flight=9 - n) for n in range(5)]

    assert news == [True, False, False, False, False]


def test_tokens_are_guessed_from_the_replies_before_and_put_right_by_their_own() -> None:
    pacer = Pacer(Pace(tokens_per_minute=1000))
    first = Call(0, 0, tokens=pacer.guess(REQUEST))
    pacer.goes(first)
    pacer.sent(first, 0.0)
    answer(pacer, first, began=0.0, now=1.0, usage=Usage(50, 10))

    assert pacer.guess(REQUEST) == 60
    assert pacer.lets(Call(1, 0, tokens=940), 0, 1.0)
    assert not pacer.lets(Call(1, 0, tokens=941), 0, 1.0)
    assert pacer.lets(Call(1, 0, tokens=941), 0, 60.0)


def test_a_call_that_was_refused_costs_no_tokens_but_is_a_request() -> None:
    pacer = Pacer(Pace(tokens_per_minute=100, requests_per_minute=1, adapts=False))
    pacer.goes(call := Call(0, 0, tokens=100))
    pacer.sent(call, 0.0)
    refuse(pacer, call, overloaded(), began=0.0, now=0.1)

    assert not pacer.lets(Call(1, 0, tokens=100), 0, 59.9)
    assert pacer.due(Call(1, 0, tokens=100), 0, 0.2) == 60.0


def test_a_pace_that_sets_nothing_has_nothing_to_look_at_until_something_is_refused() -> None:
    pacer = Pacer(Pace())
    assert pacer.is_idle

    refuse(pacer, Call(0, 0), overloaded(), began=0.0, now=0.0, in_flight=8)

    assert not pacer.is_idle
    assert pacer.most_in_flight == 7


@given(st.integers(1, 9), st.lists(st.tuples(st.integers(0, 5), gaps), min_size=1, max_size=40, unique_by=lambda x: x))
def test_no_paced_call_starves_and_the_oldest_dialog_goes_first(limit: int, arrivals: list[tuple[int, float]]) -> None:
    lane, numbers, now, went = Lane(None, 10**9, Pacer(Pace(requests_per_minute=limit))), count(), 0.0, list[Call]()

    def send(call: Call | None) -> None:
        while call is not None:
            lane.pacer.sent(call, now)
            went.append(call)
            call = lane.leave(call, now)

    calls = [Call(dialog, next(numbers)) for dialog, _ in arrivals]
    for call in calls:
        send(call if lane.enter(call, now) else None)
    waited = [call for call in calls if call not in went]
    while lane.waiting:
        due = lane.due(now)
        assert due is not None
        now = max(now, due)
        send(lane.take(now))

    assert went[len(calls) - len(waited) :] == sorted(waited)
    assert now == MINUTE_S * ((len(calls) - 1) // limit)


def test_a_pace_is_found_by_the_name_of_its_backend_then_by_its_kind_then_for_all() -> None:
    one, kind, every = Pace(in_flight=1), Pace(in_flight=2), Pace(in_flight=3)
    paces = {"openai:gpt-4.1": one, "openai": kind, "": every}

    assert [pace_of(paces, name) for name in ("openai:gpt-4.1", "openai:x", "aws:y")] == [one, kind, every]
    assert pace_of({"openai": kind}, "aws:y") == Pace()


@pytest.mark.parametrize(
    "pace",
    [
        lambda: Pace(requests_per_minute=0),
        lambda: Pace(tokens_per_minute=0),
        lambda: Pace(in_flight=0),
    ],
)
def test_a_limit_below_one_is_refused(pace: Callable[[], Pace]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        pace()
