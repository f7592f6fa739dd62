"""The YAML of scenario files: what is odd in one is what was meant, or is told with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from playact.actors.playbill import Playbill
from playact.actors.playbill.document import Document
from playact.engine.errors import FileInvalid

CAST = "cast: [{name: Ada}, {name: Bob}]\n"


def read(folder: Path, content: str | bytes) -> Any:
    file = folder / "play.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    root = Document.read(file)
    return None if root is None else root.value


def bill(folder: Path, content: str) -> Playbill:
    file = folder / "play.yaml"
    file.write_bytes(content.encode())
    return Playbill.from_file(file)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("No", "No"),
        ("yes", "yes"),
        ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        ("tRue", "tRue"),
        ("'1'", "1"),
        ("!!str 12", "12"),
        ("1" * 5000, "1" * 5000),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("007", 7),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("!!float 1", 1),
        ("|\n  one\n  two", "one\ntwo"),
    ],
)
def test_a_word_is_text_and_only_what_is_a_number_or_a_truth_is_one(
    tmp_path: Path, written: str, meant: object
) -> None:
    assert read(tmp_path, f"key: {written}") == {"key": meant}


def test_keys_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    assert read(tmp_path, "1: a\nNo: b\n2024-01-01: c\n'': d") == {"1": "a", "No": "b", "2024-01-01": "c", "": "d"}


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"%YAML 1.2\n---\n", b"# first\n\n"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_byte_order_marks_and_ends_of_lines_do_not_matter(tmp_path: Path, start: bytes, end: bytes) -> None:
    text = start + b"a: 1\nb: |\n  x\n  y\n"

    assert read(tmp_path, text.replace(b"\n", end)) == {"a": 1, "b": "x\ny\n"}


def test_anchors_and_merge_keys_spare_repeating(tmp_path: Path) -> None:
    content = read(tmp_path, "a: &a {p: 1, q: 2}\nb: {<<: *a, q: 3}\nc:\n  <<: [*a, {p: 9, r: 1}]\nd: [*a, *a]")

    assert content["b"] == {"q": 3, "p": 1}
    assert content["c"] == {"p": 1, "q": 2, "r": 1}
    assert content["d"] == [content["a"], content["a"]]


def test_a_mistake_in_what_is_merged_is_told_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid) as refusal:
        bill(tmp_path, "cast:\n  - &ada\n    name: Ada\n    modle: x\n  - {<<: *ada, name: Bob}\n")

    assert (refusal.value.line, refusal.value.reason) == (4, "unknown key `modle`; did you mean `model`?")


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a:\n\tb: 1", 2, "is not YAML: there is a tab where it wants spaces"),
        ("a: 1\nb: @x", 2, "is not YAML: a text that begins with @ needs quotes"),
        ("a: 1\n\na: 2", 3, "the key `a` stands here a second time"),
        ("a: {b: {c: 1, c: 2}}", 1, "the key `c` stands here a second time"),
        ("a: 1\n---\nb: 1", 2, "begins a second document here"),
        ("a: !!python/object/apply:os.system [x]", 1, "has the tag !!python/object/apply:os.system here"),
        ("a: !mine x", 1, "has the tag !mine here"),
        ("a: !!set {x, y}", 1, "has the tag !!set here"),
        ("? [1, 2]\n: x", 1, "has a key here that is no text"),
        ("? \n: x", 1, "has a key here that is no text"),
        ("a: *nowhere", 1, "has no anchor &nowhere before this"),
        ("a: &a\n  - *a", 2, "refers to itself without end, by *a inside &a"),
        ("a: {<<: 1}", 1, "`<<` takes a mapping"),
        ("a: [1", 2, "is not YAML: the [ of line 1 is not closed by a ] before this"),
        ("a: {b: 1\nc: 2", 2, "is not YAML: the { of line 1 is not closed by a } before this"),
        ('b: 1\na: "x\n\n', 4, "is not YAML: the text whose quotes begin in line 2 has none at its end"),
        ("a: b: c", 1, "is not YAML: a text with `: ` in it needs quotes"),
        ("a:\n - 1\n b: 2", 3, "is not YAML: items of a list begin with `- `"),
        ("a:\n  b: 1\n c: 2", 3, "is not YAML: keys of one block are indented alike"),
        ('a: "\\q"', 1, "is not YAML: within double quotes a \\ is written twice"),
        ("a: 1\nb: \x07", 2, "is not YAML: "),
        ("a: \x00", 1, "is not YAML: "),
        ("[" * 100_000, 1, "is nested more than 64 deep here"),
        (b"a: 1\nb: \xff", 2, "is not UTF-8 text"),
        ("a: 1".encode("utf-16"), None, "is UTF-16 text; save it as UTF-8"),
        (b"#" * (17 * 2**20), None, "is larger than 16 MiB"),
    ],
)
def test_what_is_no_document_of_ours_is_told_with_its_line(
    tmp_path: Path, content: str | bytes, line: int | None, reason: str
) -> None:
    with pytest.raises(FileInvalid) as refusal:
        read(tmp_path, content)

    assert refusal.value.line == line
    assert refusal.value.reason.startswith(reason)


def test_anchors_cannot_make_a_small_file_a_large_one(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    with pytest.raises(FileInvalid, match="comes to more than 1,000,000 values here"):
        read(tmp_path, "\n".join(lines))


def test_anchors_cannot_make_a_flat_file_a_deep_one(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000))]

    with pytest.raises(FileInvalid, match="is nested more than 64 deep here"):
        read(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "just words", "- a list"])
def test_a_file_without_a_scenario_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(FileInvalid, match="holds no scenario"):
        bill(tmp_path, content)


def test_words_that_look_like_something_else_reach_the_objects_as_words(tmp_path: Path) -> None:
    text = "cast: [{persona: {name: No, role: on}}, {name: Bob, can_finish: no}]\ncontext: {datetime: 2024-01-01}\n"

    made = bill(tmp_path, text)

    assert made.names == ("No", "Bob")
    assert made.cast[1].can_finish is False
    assert made.context is not None
    assert getattr(made.context, "datetime") == "2024-01-01"  # noqa: B009  # it is a Context or a text


def test_a_number_where_text_is_meant_is_told_to_be_quoted(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid) as refusal:
        bill(tmp_path, f"{CAST}model: 7\n")

    assert refusal.value.line == 2
    assert refusal.value.reason.endswith("; put it in quotes, as in '7'")


# PyYAML, of YAML 1.1, writes such as `0E0` without quotes; we, as YAML 1.2 has it, read a number.
texts = st.text().filter(lambda text: re.fullmatch(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+", text) is None)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda one: st.lists(one) | st.dictionaries(texts, one),
    max_leaves=20,
)


@given(values)
def test_whatever_is_written_as_yaml_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("yaml")

    assert read(folder, yaml.safe_dump({"key": value}, allow_unicode=False)) == {"key": value}
