"""A dataset file holds whole dialogs only, whatever happens while it is written."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playact.actors.dataset_file import DatasetFile
from playact.engine import Dialog
from playact.engine.errors import SetupError


def saying(text: str) -> Dialog:
    return Dialog.model_validate({"turns": [{"speaker": "Ann", "text": text}]})


def texts(path: Path) -> list[str]:
    return [dialog[0].text for dialog in Dialog.read_lines(path)]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond this: what a full disk looks like from here."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_dialog_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    with DatasetFile(str(path)) as file:
        file.write(saying("one"))
        assert texts(path) == ["one"]
        file.write(saying("two"))
        assert texts(path) == ["one", "two"]


def test_a_file_that_holds_something_is_refused_and_an_empty_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.touch()

    with DatasetFile(str(path)) as file:
        file.write(saying("one"))

    with pytest.raises(SetupError, match="say --overwrite"):
        DatasetFile(str(path)).__enter__()
    assert texts(path) == ["one"]


def test_what_is_overwritten_goes_with_the_first_dialog_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n" * 1000, encoding="utf-8")

    with DatasetFile(str(path), overwrites=True) as file:
        assert path.stat().st_size == 4000
        for text in ("one", "two"):
            file.write(saying(text))

    assert texts(path) == ["one", "two"]


def test_when_the_disk_is_full_the_part_of_a_line_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    file = DatasetFile(str(path))

    with file, room_for(2500):
        file.write(saying("one"))
        with pytest.raises(SetupError, match="it holds 1 whole dialogs"):
            file.write(saying("x" * 3000))
        file.write(saying("two"))

    assert file.dialogs == 2
    assert texts(path) == ["one", "two"]


def test_two_runs_that_write_one_file_leave_each_others_lines_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    with DatasetFile(str(path), overwrites=True) as one, DatasetFile(str(path)) as other:
        for file, text in ((one, "one"), (other, "other, and longer"), (one, "three")):
            file.write(saying(text))

    assert texts(path) == ["one", "other, and longer", "three"]


def test_a_pipe_does_as_well(tmp_path: Path) -> None:
    """Such as the one that a shell makes of `--out >(gzip > out.jsonl.gz)`."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(texts(path)))
    reader.start()

    with DatasetFile(str(path)) as file:
        file.write(saying("one"))
    reader.join(timeout=10)

    assert read == ["one"]


def test_a_pipe_whose_reader_goes_away_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with DatasetFile(str(path)) as file:
        os.close(reader)
        with pytest.raises(SetupError, match="Broken pipe; it holds 0 whole dialogs"):
            file.write(saying("one"))


def test_letters_that_have_no_utf_8_do_not_spoil_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    with DatasetFile(str(path)) as file:
        file.write(Dialog(notes="half a pair: \ud83d"))
        file.write(saying("a whole one: \U0001f600"))

    first, second = Dialog.read_lines(path)
    assert first.notes == "half a pair: ?"
    assert second[0].text == "a whole one: \U0001f600"
