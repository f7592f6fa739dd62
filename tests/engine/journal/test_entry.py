"""Whatever is said comes back from the log as it was, to the last half of a surrogate pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playact.engine.completion import Completion, ToolCall, Usage
from playact.engine.errors import CodeMissing
from playact.engine.journal.entry import Entry, completion_of, encoded_fact, encoded_reply, fact_of
from playact.engine.journal.file import Batch, JournalFile
from playact.engine.journal.tally import Tally
from playact.engine.messages import (
    ActorFailed,
    CallRetried,
    DeadLetter,
    DialogEnded,
    DialogStarted,
    EndMarked,
    Fact,
    Forked,
    Instructed,
    Thought,
    ToolCalled,
    ToolReturned,
    Uttered,
)

texts = st.text(st.characters() | st.characters(categories=["Cs"])) | st.sampled_from(["\ud83d", "\x00", "\x1f'", "🎭"])
counts = st.integers(0, 2**62)
usages = st.builds(Usage, counts, counts, counts)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(texts, plain, max_size=3)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(DialogStarted, st.lists(texts, max_size=4).map(tuple), st.integers()),
    st.builds(Instructed, texts, texts, texts, st.booleans()),
    st.builds(Thought, texts, texts),
    st.builds(ToolCalled, texts, texts, arguments, texts),
    st.builds(ToolReturned, texts, texts, texts, texts),
    st.builds(Uttered, texts, texts, usages),
    st.builds(EndMarked, texts),
    st.builds(Forked, texts, counts),
    st.builds(DialogEnded, texts, texts, st.none() | texts),
    st.builds(CallRetried, texts, texts, texts, counts, st.floats(allow_nan=False)),
    st.builds(ActorFailed, texts, texts, texts),
    st.builds(DeadLetter, texts, texts),
)
completions = st.builds(
    Completion,
    text=texts,
    thinking=texts,
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=3).map(tuple),
    usage=usages,
    finish=st.sampled_from(["stop", "length", "tool_calls", "refused"]),
    model=texts,
)


@dataclass(frozen=True, slots=True)
class Priced(Fact):
    """A fact of somebody's own."""

    what: str
    price: float
    tags: tuple[str, ...] = ()


@given(facts)
def test_a_fact_comes_back_as_it_was(fact: Fact) -> None:
    kind, body = encoded_fact(fact)

    assert body.isascii()
    assert fact_of(kind, json.loads(body)) == fact


@given(completions, counts, texts, counts)
def test_a_reply_comes_back_as_it_was(completion: Completion, call: int, key: str, cost: int) -> None:
    body = encoded_reply(call, key, completion, cost=cost)

    content = json.loads(body)
    assert body.isascii()
    assert completion_of(content) == completion
    assert (content["call"], content["key"], content["cost"]) == (call, key, cost)


def test_a_fact_of_somebodys_own_comes_back_where_its_class_is_known() -> None:
    fact = Priced("a \ud83c", 2.5, ("x", "y"))

    kind, body = encoded_fact(fact)

    assert kind.endswith(":Priced")
    assert fact_of(kind, json.loads(body)) == fact


def test_a_fact_whose_class_is_not_known_says_which_is_missing() -> None:
    with pytest.raises(CodeMissing, match="shop:Sold"):
        fact_of("shop:Sold", {})


def test_what_cannot_be_kept_is_said_at_once() -> None:
    class Loose(Fact):
        pass

    with pytest.raises(TypeError, match="make it a dataclass"):
        encoded_fact(Loose())
    with pytest.raises(TypeError, match="facts hold plain values"):
        encoded_fact(ToolCalled("Ada", "look", {"at": object()}, "1"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.lists(st.tuples(facts, st.floats(allow_nan=False, allow_infinity=False)), max_size=20))
def test_the_log_gives_back_what_was_put_in(tmp_path: Path, said: list[tuple[Fact, float]]) -> None:
    path = tmp_path / "run.db"
    path.unlink(missing_ok=True)
    tally = Tally()
    entries = []
    for position, (fact, time) in enumerate(said, 1):
        kind, body = encoded_fact(fact)
        entries.append(Entry(position, 0, time, kind, body))
        tally.add(entries[-1])
    file = JournalFile.create(path, {}, synchronous="OFF")
    file.commit(Batch(entries=entries, meta={"tally": tally.to_json()}))
    file.close()

    file = JournalFile.read(path)

    assert file.verify().entries == len(said)
    assert list(file.entries(1)) == entries
    assert [fact_of(entry.kind, entry.content()) for entry in file.entries(1)] == [fact for fact, _ in said]
    file.close()


def test_times_that_sqlite_writes_in_another_way_prove_whole(tmp_path: Path) -> None:
    file = JournalFile.create(tmp_path / "run.db", {}, synchronous="OFF")
    times: Mapping[int, float] = {1: -0.0, 2: 7, 3: 1e300, 4: 5e-324, 5: float("inf")}
    entries = [Entry(position, 0, time, "Thought", "{}") for position, time in times.items()]

    file.commit(Batch(entries=entries, meta={"tally": Tally(entries=5).to_json()}))

    assert [entry.time for entry in file.entries(1)] == list(times.values())
    file.close()
