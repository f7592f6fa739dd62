"""The packaged model as a Hugging Face folder: made once, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playact.backends import converted_weights as module
from playact.backends.converted_weights import converted_weights
from playact.backends.weights import find_weights
from playact.engine.errors import ExtraMissing, SetupError, WeightsMissing

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    weights = find_weights()
    if weights is not None:
        monkeypatch.setenv("PLAYACT_WEIGHTS", str(weights))
    cache = tmp_path / "cache"
    monkeypatch.setenv("PLAYACT_CACHE", str(cache))
    return cache


@pytest.mark.engine
def test_the_folder_is_made_once_and_has_all_that_a_chat_model_needs(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = converted_weights("test")
    monkeypatch.setattr(module, "_convert_apart", None)
    again = converted_weights("test")

    assert again == folder
    assert list(cache.iterdir()) == [folder]
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
    assert (folder / "tokenizer.json").exists()
    assert "assistant" in (folder / "chat_template.jinja").read_text()
    assert 200e6 < (folder / "model.safetensors").stat().st_size < 300e6
    assert capfd.readouterr() == ("", "")


def test_another_file_of_the_same_name_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_convert_apart", lambda source, folder: folder.mkdir())
    file = tmp_path / "small.gguf"
    monkeypatch.setenv("PLAYACT_WEIGHTS", str(file))

    file.write_bytes(b"one")
    first = converted_weights("test")
    file.write_bytes(b"another")
    second = converted_weights("test")

    assert first != second


@pytest.mark.engine
def test_a_file_that_is_no_model_is_one_line_and_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"not a model")
    monkeypatch.setenv("PLAYACT_WEIGHTS", str(file))

    with pytest.raises(SetupError, match="cannot be converted") as refusal:
        converted_weights("test")

    assert len(str(refusal.value).splitlines()) == 1
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PLAYACT_CACHE", str(tmp_path / "file" / "cache"))

    with pytest.raises(SetupError, match=r"cannot be stored.*PLAYACT_CACHE may name another place"):
        converted_weights("test")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    with pytest.raises(ExtraMissing, match=r"test needs the package torch: pip install 'playact\[huggingface\]'"):
        converted_weights("test")


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_weights", lambda weights: None)

    with pytest.raises(WeightsMissing, match="playact models fetch"):
        converted_weights("test")
