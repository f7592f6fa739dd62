"""A row of the batch gets what it would get alone, whoever comes, goes or speaks beside it; and what generate gives."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from playact.backends.huggingface import HuggingFaceBackend
from playact.backends.huggingface.loading import LoadedModel
from playact.engine import Completion, CompletionRequest, Message
from tests.backends.huggingface.conftest import Opener
from tests.backends.huggingface.questions import asking

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]

QUESTIONS = [
    "Say hello.",
    "What is the capital of France?",
    "Tell me about the sea, its colours and its sounds, and about those who live by it.",
    "Why?",
    "Name three fruits.",
    "Write a line of a poem about a train that is late.",
    "🚀",
    "What do you know of Ann, who sells coffee at the corner of the street and knows everybody's name?",
]
WAYS: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"temperature": 0.8},
    {"temperature": 1.2, "top_p": 0.8},
    {"temperature": 1.0, "top_k": 20},
    {"temperature": 1.0, "min_p": 0.1, "repetition_penalty": 1.3},
    {"temperature": 0.7, "frequency_penalty": 0.5, "presence_penalty": 0.5},
    {"temperature": 0.0, "repetition_penalty": 1.2},
    {"temperature": 1.5, "top_p": 0.95, "top_k": 50, "min_p": 0.02},
]


async def together(model: HuggingFaceBackend, requests: list[CompletionRequest]) -> list[Completion]:
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(model.complete(request)) for request in requests]
    return [call.result() for call in calls]


def texts(completions: list[Completion]) -> list[tuple[str, str]]:
    return [(completion.text, completion.finish) for completion in completions]


@pytest.fixture(scope="module")
def plain(loaded: LoadedModel) -> Any:
    """The same weights under transformers' own attention."""
    config = deepcopy(loaded.model.config)
    maker: Any = AutoModelForCausalLM  # it has no types
    model = maker.from_config(config, attn_implementation="sdpa", dtype=torch.float32)
    model.load_state_dict(loaded.model.state_dict(), assign=True)
    model.tie_weights()
    return model.eval()


async def test_alone_and_among_others_a_request_gets_the_same_words(model: HuggingFaceBackend) -> None:
    requests = [
        asking(question, seed=number, max_tokens=12, **way)
        for number, (question, way) in enumerate(zip(QUESTIONS, WAYS, strict=True))
    ]

    alone = [await model.complete(request) for request in requests]
    among = await together(model, requests)

    assert texts(alone) == texts(among)


async def test_rows_that_join_leave_and_move_in_mid_run_change_nothing_for_the_others(
    model: HuggingFaceBackend, loaded: LoadedModel, opened: Opener
) -> None:
    """Three rows for requests of all lengths, whose prompts are read in pieces of sixteen tokens."""
    requests = [
        asking(QUESTIONS[number % 8], seed=number, max_tokens=(3, 17, 5, 9)[number % 4], temperature=0.9)
        for number in range(12)
    ]
    alone = [await model.complete(request) for request in requests]

    async with opened(loaded, rows=3, step_tokens=16, kept_bytes=0) as small:
        among = await together(small, requests)
        statistics = small.statistics()

    assert texts(alone) == texts(among)
    assert statistics["most_rows"] == 3
    assert statistics["rows"] == 0


async def test_greedy_words_are_those_of_generate(model: HuggingFaceBackend, loaded: LoadedModel, plain: Any) -> None:
    long = "Once there was a town by the sea. " * 40  # beyond the room that a slot has at first
    requests = [asking(question, max_tokens=16) for question in (*QUESTIONS[:5], long)]

    among = await together(model, requests)

    for request, completion in zip(requests, among, strict=True):
        ids = loaded.tokenizer.apply_chat_template(
            [{"role": "user", "content": request.messages[0].text}], add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        with torch.inference_mode():
            whole = plain.generate(ids, max_new_tokens=16, do_sample=False, attention_mask=torch.ones_like(ids))
        assert completion.text == loaded.tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        assert completion.usage.prompt_tokens == ids.shape[1]


async def test_a_dialogs_next_turn_is_not_read_again_from_its_beginning(loaded: LoadedModel, opened: Opener) -> None:
    first = asking("What do you sell?", max_tokens=24)
    async with opened(loaded) as remembers, opened(loaded, kept_bytes=0) as forgets:
        said = (await remembers.complete(first)).text
        second = asking("What do you sell?", said, "And what does it cost?", max_tokens=24)

        again = await remembers.complete(second)
        anew = await forgets.complete(second)

    assert again.text == anew.text
    assert anew.usage.cached_tokens == 0
    assert again.usage.cached_tokens > 40
    assert again.usage.prompt_tokens == anew.usage.prompt_tokens


async def test_those_that_begin_alike_share_what_was_computed(loaded: LoadedModel, opened: Opener) -> None:
    persona = Message("system", "You are Ann, who sells coffee, knows everybody's name and never stops talking.")
    requests = [
        CompletionRequest(messages=(persona, Message("user", question)), parameters=asking("").parameters)
        for question in QUESTIONS
    ]
    async with opened(loaded, step_tokens=64) as model:
        among = await together(model, requests)

    assert sum(completion.usage.cached_tokens > 20 for completion in among) >= 5
