"""What can be loaded, and what cannot and says why; every architecture that is let in computes as it does by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import anyio
import pytest

from playact.backends import converted_weights, huggingface
from playact.backends.huggingface import HuggingFaceBackend, loading
from playact.backends.huggingface.loading import LoadedModel, load_model
from playact.engine.errors import ExtraMissing, SetupError, WeightsMissing
from playact.engine.models import backend_named
from tests.backends.huggingface.conftest import Opener
from tests.backends.huggingface.questions import asking
from tests.backends.huggingface.tiny import STRICT, save_tiny

WINDOWED = {"sliding_window": 7, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("llama", {}),
        ("mistral", {"sliding_window": 7}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("gemma3_text", WINDOWED),
        ("phi3", {}),
        ("smollm3", {}),
        ("olmo2", {}),
        ("granite", {}),
    ],
)
@pytest.mark.anyio
async def test_a_model_in_a_folder_says_what_generate_says(
    tmp_path: Path, opened: Opener, kind: str, config: dict[str, Any]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = save_tiny(tmp_path, kind, **config)
    request = asking("Hello, is anybody there?", max_tokens=20, ignore_eos=True)
    async with opened(str(folder), dtype="float32", step_tokens=9) as model:
        completion = await model.complete(request)

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    plain: Any = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": request.messages[0].text}], add_generation_prompt=True, return_tensors="pt"
    )
    with torch.inference_mode():
        ids = plain.generate(**inputs, max_new_tokens=20, min_new_tokens=20, do_sample=False, eos_token_id=-1)
    new = ids[0, inputs["input_ids"].shape[1] :]
    assert completion.text.rstrip("\ufffd") == tokenizer.decode(new, skip_special_tokens=True).rstrip("\ufffd")


@pytest.mark.parametrize(
    ("kind", "config"), [("mamba", {}), ("gemma2", {"attn_logit_softcapping": 3.0}), ("gpt2", {"n_head": 4})]
)
def test_a_model_that_needs_more_than_keys_and_values_by_row_is_refused(
    tmp_path: Path, kind: str, config: dict[str, Any]
) -> None:
    folder = save_tiny(tmp_path, kind, **config)

    if kind == "gpt2":  # positions that are learnt do no harm
        load_model(str(folder), device="cpu", dtype="float32")
    else:
        with pytest.raises(SetupError, match="cannot be run row by row"):
            load_model(str(folder), device="cpu", dtype="float32")


def test_the_thread_that_loads_and_tries_a_model_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lived, OpenMP would count its helpers among those for whom there are too few processors."""
    threads: list[Thread] = []
    prove = loading._prove

    def noted(loaded: LoadedModel, source: str) -> None:
        threads.append(current_thread())
        prove(loaded, source)

    monkeypatch.setattr(loading, "_prove", noted)

    load_model(str(save_tiny(tmp_path)), device="cpu", dtype="float32")

    (thread,) = threads
    assert thread is not current_thread()
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"device": "abacus"}, "there is no device abacus"),
        ({"dtype": "float3"}, "there is no dtype float3"),
        ({"dtype": "int8"}, "there is no dtype int8"),
    ],
)
def test_an_impossible_setting_is_said(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(SetupError, match=reason):
        load_model(str(tmp_path), **{"device": "cpu", "dtype": "float32", **settings})


def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")

    for source, reason in [
        (tmp_path / "no.gguf", "there is no file"),
        (broken, "cannot be loaded"),
        (tmp_path, "cannot be loaded"),
        (save_tiny(tmp_path / "base", chat_template=None), "no chat template"),
    ]:
        with pytest.raises(SetupError, match=reason):
            load_model(str(source), device="cpu", dtype="float32")


@pytest.mark.anyio
async def test_a_strict_template_is_no_hindrance(tmp_path: Path, opened: Opener) -> None:
    async with opened(str(save_tiny(tmp_path, chat_template=STRICT))) as model:
        completion = await model.complete(asking(max_tokens=4, ignore_eos=True))

    assert completion.usage.completion_tokens == 4


@pytest.mark.anyio
async def test_missing_weights_and_packages_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted_weights, "find_weights", lambda weights: None)
    with pytest.raises(WeightsMissing, match="playact models fetch"):
        await HuggingFaceBackend().open()

    monkeypatch.delitem(sys.modules, "playact.backends.huggingface.loading", raising=False)
    monkeypatch.delitem(sys.modules, "playact.backends.huggingface.intake", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'playact\[huggingface\]'"):
        await HuggingFaceBackend("somewhere").open()


def test_it_is_found_by_its_name_and_needs_no_torch_until_it_is_opened() -> None:
    model = backend_named("huggingface:smollm2")
    code = "import sys, playact.backends.huggingface; assert not {'torch', 'transformers'} & set(sys.modules)"

    assert isinstance(model, HuggingFaceBackend)
    assert model.name == "huggingface"
    assert huggingface.__all__ == ["HuggingFaceBackend"]
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_backend_that_was_never_opened_closes() -> None:
    anyio.run(HuggingFaceBackend().aclose)
