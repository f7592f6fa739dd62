"""A digest is that of the dialog's JSON, however it is reckoned."""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from playact.engine import Context, Dialog, Ending, Event, Turn

TEXTS = st.text(st.characters(), max_size=20)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
EXTRAS = st.dictionaries(st.sampled_from(["mood", "z", "a b"]), ANYTHING, max_size=2)
TURNS = st.builds(lambda extra, **own: Turn(**own, **extra), EXTRAS, speaker=st.none() | TEXTS, text=TEXTS)
EVENTS = st.builds(
    lambda extra, **own: Event(**own, **extra),
    EXTRAS,
    agent=st.none() | TEXTS,
    action=st.sampled_from(["utter", "tool"]),
    actionLabel=st.none() | TEXTS,
    content=ANYTHING,
    timestamp=st.integers(),
)
DIALOGS = st.builds(
    Dialog,
    id=st.none() | TEXTS | st.integers(),
    seed=st.none() | st.integers(),
    model=st.none() | TEXTS | st.just({"name": "any"}),
    complete=st.none() | st.booleans(),
    personas=st.none() | st.dictionaries(TEXTS, ANYTHING, max_size=3),
    context=st.none() | TEXTS | st.just(Context(location="a cafe", goals=["one", "two"])),
    scenario=st.none() | TEXTS,
    turns=st.lists(TURNS, max_size=4),
    events=st.none() | st.lists(EVENTS, max_size=4),
    ending=st.none() | st.builds(Ending, reason=st.just("failed"), detail=TEXTS, error=TEXTS),
)
CONTENT = ("id", "parentId", "model", "seed", "complete", "personas", "context", "scenario", "turns")


def plainly_reckoned(dialog: Dialog) -> str:
    whole = dialog.to_dict()
    content: dict[str, Any] = {name: whole[name] for name in CONTENT}
    content["events"] = [
        {name: value for name, value in event.items() if name != "timestamp"} for event in whole["events"] or ()
    ]
    if dialog.ending is not None:
        content["ending"] = [dialog.ending.reason, dialog.ending.detail]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@given(DIALOGS)
def test_a_digest_is_that_of_the_dialog_as_sorted_json(dialog: Dialog) -> None:
    assert dialog.digest() == plainly_reckoned(dialog)


def test_a_digest_is_the_same_for_ever() -> None:
    dialog = Dialog(id="one", seed=1, turns=[Turn(speaker="Ada", text="Grüße “you” \ud83d")])

    assert dialog.digest() == plainly_reckoned(dialog)
    assert dialog.digest() == "490a6a6da42a10a43e6e63a6639084fa3ec8bc70470e8853590e8aba9e62a78b"


def test_half_a_character_in_a_key_changes_nothing_else_in_a_digest_or_a_file() -> None:
    """pydantic refuses such keys; numbers that are not finite stay null, as they are without them."""
    arguments = {
        "\ud83d": 1,
        "most": float("inf"),
        "none": float("nan"),
        "day": date(2026, 11, 24),
        "pair": (1, {2: 3}),
    }
    dialog = Dialog(
        id="one",
        personas={"Ada": {"\ud83d": "half"}},
        turns=[Turn(speaker="Ada", text="Hm.", mood={"\udc00": 1})],  # type: ignore[call-arg]  # a key of a file
        events=[Event(agent="Ada", action="tool", content={"args": arguments}, timestamp=1)],
    )

    content = dialog.to_dict()
    assert content["events"][0]["content"]["args"] == {
        "\ud83d": 1,
        "most": None,
        "none": None,
        "day": "2026-11-24",
        "pair": [1, {"2": 3}],
    }
    assert (content["personas"], content["turns"][0]["mood"]) == ({"Ada": {"\ud83d": "half"}}, {"\udc00": 1})
    assert dialog.digest() == plainly_reckoned(dialog)


def test_a_digest_has_null_for_a_number_that_is_not_finite() -> None:
    def saying(content: object) -> str:
        return Dialog(id=1, events=[Event(action="tool", content=content, timestamp=0)]).digest()

    assert saying({"most": float("inf")}) == saying({"most": None})
    assert saying({"\ud800": float("inf")}) == saying({"\ud800": None})
