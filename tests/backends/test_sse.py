"""Server-sent events are the same, wherever their bytes are cut and however their lines end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.backends.sse import EventReader

pieces = st.lists(st.integers(min_value=1, max_value=9), min_size=1)
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)
events = st.lists(st.lists(texts, min_size=1, max_size=3), max_size=6)
line_ends = st.sampled_from(["\n", "\r", "\r\n"])


def read(data: bytes, sizes: list[int] | None = None) -> list[bytes]:
    """All events of `data`, fed in pieces of these sizes, again and again."""
    reader, found, turn = EventReader(), [], 0
    while data:
        size = len(data) if sizes is None else sizes[turn % len(sizes)]
        found += reader.feed(data[:size])
        data, turn = data[size:], turn + 1
    return found + reader.rest()


@given(events, line_ends, st.booleans())
def test_what_was_written_is_read(written: list[list[str]], end: str, has_comments: bool) -> None:
    lines = [line for event in written for line in (*(f"data: {text}" for text in event), "")]
    if has_comments:
        lines = [line for pair in lines for line in (": keep-alive", "event: message", pair)]

    found = read(end.join([*lines, ""]).encode())

    assert found == ["\n".join(event).encode() for event in written]


@given(events, line_ends, pieces)
def test_where_the_bytes_are_cut_changes_nothing(written: list[list[str]], end: str, sizes: list[int]) -> None:
    data = "".join(f"{end.join(f'data: {text}' for text in event)}{end}{end}" for event in written).encode()

    assert read(data, sizes) == read(data)


@given(st.binary(), pieces)
def test_any_bytes_at_all_are_read_the_same_however_they_are_cut(data: bytes, sizes: list[int]) -> None:
    assert read(data, sizes) == read(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"data:x\n\n", [b"x"]),
        (b"data:  x\n\n", [b" x"]),
        (b"data\n\n", [b""]),
        (b"\xef\xbb\xbfdata: x\n\n", [b"x"]),
        (b"id: 1\nretry: 5\n\ndata: x\n\n", [b"x"]),
        (b"data: x\n\n\n\n", [b"x"]),
        (b"datas: x\n\n", []),
        (b"data: [DONE]", [b"[DONE]"]),
        (b"", []),
    ],
)
def test_the_corners_of_the_format(data: bytes, found: list[bytes]) -> None:
    assert read(data) == found


def test_an_event_is_given_as_soon_as_its_last_byte_is_there() -> None:
    reader = EventReader()

    assert reader.feed(b"data: a\r\n\r") == [b"a"]
    assert reader.feed(b"\ndata: b\r\n") == []
    assert reader.feed(b"\r") == [b"b"]


def test_an_event_without_end_is_refused() -> None:
    reader = EventReader()

    with pytest.raises(ValueError, match="larger than 32 MiB"):
        for _ in range(40):
            reader.feed(b"x" * 2**20)
