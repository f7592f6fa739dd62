"""Model strings find their backends."""

from __future__ import annotations

import pytest

from playact.backends.openai import OpenAIBackend
from playact.backends.registry import backend_named, backend_names
from playact.backends.scripted import ScriptedBackend
from playact.engine.errors import SetupError, UnknownBackend


def test_a_model_string_names_a_backend_and_a_model() -> None:
    assert isinstance(backend_named("scripted"), ScriptedBackend)
    assert isinstance(backend_named("openai:gpt-4.1"), OpenAIBackend)
    assert backend_named("openai:org/model:tag").name == "openai:org/model:tag"


def test_ours_are_all_there() -> None:
    assert {"embedded", "openai", "scripted"} <= set(backend_names())


@pytest.mark.parametrize("model", ["", ":x", "opnai:x", "gpt-4.1"])
def test_what_nobody_offers_is_refused_with_the_names_that_are(model: str) -> None:
    with pytest.raises(UnknownBackend, match=r"say one of .*embedded.*openai.*scripted"):
        backend_named(model)


@pytest.mark.parametrize("model", ["scripted:tragedy", "openai:", "embedded:nowhere.gguf"])
def test_a_model_that_the_backend_does_not_have_is_refused_in_one_line(model: str) -> None:
    with pytest.raises(SetupError) as refusal:
        backend_named(model)

    assert len(str(refusal.value).splitlines()) == 1
