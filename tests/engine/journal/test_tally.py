"""The tally that goes along with a run is the one that counting all of its log gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playact.engine.budget.amount import Amount
from playact.engine.completion import Completion, Usage
from playact.engine.journal.entry import ANSWER, REPLY, Entry, encoded, encoded_fact, encoded_reply
from playact.engine.journal.rows import DialogRow
from playact.engine.journal.tally import Tally
from playact.engine.messages import DialogStarted, Uttered

counts = st.integers(0, 10**6)
usages = st.builds(Usage, counts, counts, counts)
replies = st.tuples(usages, st.integers(0, 10**12)).map(
    lambda reply: (REPLY, encoded_reply(0, "k", Completion(text="", usage=reply[0]), cost=reply[1]))
)
others = st.sampled_from(
    [
        (ANSWER, encoded({"key": "k", "text": ""})),
        encoded_fact(Uttered("Ada", "Hi.")),
        encoded_fact(DialogStarted((), 0)),
    ]
)
reasons = st.sampled_from(["finished", "failed", "turn_limit", "budget", None])
amounts = st.builds(Amount, counts, counts, counts)


@given(st.lists(replies | others, max_size=30), st.lists(reasons, max_size=12), counts, counts)
def test_counting_on_gives_what_counting_anew_gives(
    bodies: list[tuple[str, str]], endings: list[str | None], scenarios: int, planned: int
) -> None:
    entries = [Entry(position, 0, 1.5, kind, body) for position, (kind, body) in enumerate(bodies, 1)]
    dialogs = [DialogRow(number, "", 0, None, 1, reason=reason) for number, reason in enumerate(endings)]
    tally = Tally(scenarios=scenarios, planned=planned)

    for entry in entries:
        tally.add(entry)
    for dialog in dialogs:
        tally.dialogs += 1
        if dialog.reason is not None:
            tally.ended[dialog.reason] += 1

    assert Tally.of(entries, dialogs, scenarios, planned).agrees_with(tally)


@given(st.lists(replies, min_size=1, max_size=5))
def test_a_count_that_is_one_off_does_not_agree(bodies: list[tuple[str, str]]) -> None:
    entries = [Entry(position, 0, 1.5, kind, body) for position, (kind, body) in enumerate(bodies, 1)]
    counted = Tally.of(entries, [], 0, 0)

    for name in ("entries", "dialogs", "turns", "calls", "prompt_tokens", "completion_tokens", "picodollars"):
        other = Tally.of(entries, [], 0, 0)
        setattr(other, name, getattr(other, name) + 1)
        assert not counted.agrees_with(other)


@given(
    st.builds(
        Tally,
        entries=counts,
        total=st.none() | counts,
        ended=st.dictionaries(st.sampled_from(["finished", "failed"]), counts),
        picodollars=st.integers(0, 10**30),
        reserved=amounts,
        lost=amounts,
        seconds=st.floats(0, 1e9),
        sessions=counts,
        is_closed=st.booleans(),
        time=st.floats(0, 2e9),
    )
)
def test_a_tally_comes_back_from_its_text(tally: Tally) -> None:
    assert Tally.from_json(tally.to_json()) == tally


def test_what_was_under_way_at_a_kill_counts_as_spent_when_the_next_session_begins() -> None:
    tally = Tally(reserved=Amount(2, 500, 7), lost=Amount(1, 100, 1), calls=3, prompt_tokens=40)

    tally.begin_session()

    assert tally.reserved == Amount(0, 0, 0)
    assert tally.spent == Amount(6, 640, 8)
    assert (tally.sessions, tally.is_closed) == (1, False)
