"""What goes into a journal's log comes out as it was."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from playact.engine.completion import Completion, ToolCall, Usage
from playact.engine.journal.entry import completion_of, encoded_fact, encoded_reply, fact_of
from playact.engine.messages import (
    DialogEnded,
    DialogStarted,
    EndMarked,
    Fact,
    Instructed,
    Thought,
    ToolCalled,
    ToolReturned,
    Uttered,
)

TEXTS = st.text(st.characters(), max_size=20)
USAGES = st.builds(Usage, *[st.integers(0, 10**9)] * 3)
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(DialogStarted, cast=st.lists(TEXTS, max_size=3).map(tuple), seed=st.integers()),
    st.builds(Instructed, TEXTS, TEXTS, TEXTS, st.booleans()),
    st.builds(Thought, TEXTS, TEXTS),
    st.builds(ToolCalled, TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3), TEXTS),
    st.builds(ToolReturned, TEXTS, TEXTS, TEXTS, TEXTS),
    st.builds(Uttered, TEXTS, TEXTS, USAGES),
    st.builds(EndMarked, TEXTS),
    st.builds(DialogEnded, TEXTS, TEXTS, st.none() | TEXTS),
)
COMPLETIONS = st.builds(
    Completion,
    text=TEXTS,
    thinking=TEXTS,
    tool_calls=st.lists(st.builds(ToolCall, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    usage=USAGES,
    finish=st.sampled_from(["stop", "length", "tool_calls", "refused"]),
    model=TEXTS,
)


@given(FACTS)
def test_a_fact_comes_out_as_it_went_in(fact: Fact) -> None:
    kind, body = encoded_fact(fact)

    assert body.isascii()
    assert fact_of(kind, json.loads(body)) == fact


@given(COMPLETIONS, st.integers(0, 10**6), TEXTS, st.dictionaries(st.just("cost"), st.integers(1), max_size=1))
def test_a_reply_comes_out_as_it_went_in(completion: Completion, call: int, key: str, cost: dict[str, int]) -> None:
    body = encoded_reply(call, key, completion, **cost)

    content = json.loads(body)
    assert body.isascii()
    assert completion_of(content) == completion
    assert (content["call"], content["key"]) == (call, key)
    assert content.get("cost", 0) == cost.get("cost", 0)
