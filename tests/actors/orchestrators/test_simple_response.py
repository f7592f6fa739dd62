"""Responses that are written already are suggested by what they mean, found by real embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from playact.actors.orchestrators import SimpleResponseOrchestrator
from playact.engine import Simulation
from playact.engine.embedding import Vector
from playact.engine.program.archive import digest_in

from .rehearsal import advised, contents, events, model, rehearsed

pytestmark = pytest.mark.anyio

RESPONSES = [
    "Your parcel is on its way.",
    "I am sorry, could you repeat that?",
    "You will get your money back within five days.",
    "Have a nice day, goodbye!",
]
ACTIONS = {
    "ask": "May I have your order number?",
    "refund": "You will get your money back within five days.",
    "apologise": "I am sorry for the trouble.",
    "goodbye": "Have a nice day, goodbye!",
}
LINES = ["Please repeat what you said.", "You will get your money back within five days, I promise.", "Oh."]


class Letters:
    """An embedder of one's own, for what needs none that makes sense; counts its calls."""

    name = "letters"

    def __init__(self) -> None:
        self.calls = 0

    async def open(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.calls += 1
        return [[float(text.lower().count(letter)) for letter in "aeiourstlnm"] for text in texts]

    async def aclose(self) -> None: ...


def listed(text: str) -> list[str]:
    return [line.removeprefix("- ") for line in text.splitlines()[1:]]


async def test_those_are_suggested_that_are_nearest_to_what_the_agent_would_say() -> None:
    dialog, heard = await rehearsed(SimpleResponseOrchestrator(RESPONSES, top_k=2), turns=1, lines=LINES)

    ((suggestion,),) = heard.instructions[1:]  # of the look ahead itself there is none
    assert heard.instructions[0] == []
    assert listed(suggestion)[0] == RESPONSES[1]
    assert len(listed(suggestion)) == 2
    assert [(event.action, event.actionLabel, event.content) for event in events(dialog)] == [
        ("request_suggestions", "SimpleResponseOrchestrator", f"Lookahead response: {LINES[0]}"),
        ("instruct", "SimpleResponseOrchestrator", suggestion),
    ]


async def test_without_a_graph_actions_are_matched_with_a_lookahead_every_time() -> None:
    dialog, heard = await rehearsed(SimpleResponseOrchestrator(ACTIONS, top_k=1), turns=3)

    assert [content.split(":")[0] for content in contents(dialog, "request_suggestions")] == ["Lookahead response"] * 2
    assert len(heard.requests) == 5


async def test_with_a_graph_what_may_follow_the_last_own_turn_is_suggested() -> None:
    graph = {"ask": "refund", "refund": ["apologise", "goodbye"]}
    lines = ["Hm.", "You will get your money back soon.", "When?", "So."]
    dialog, heard = await rehearsed(SimpleResponseOrchestrator(ACTIONS, graph=graph, top_k=1), turns=3, lines=lines)

    assert contents(dialog, "request_suggestions")[1] == "Previous response: You will get your money back soon."
    assert listed(contents(dialog, "instruct")[1]) == [
        "(apologise) I am sorry for the trouble.",
        "(goodbye) Have a nice day, goodbye!",
    ]
    assert len(heard.requests) == 4  # one look ahead only, before the first turn


async def test_what_nothing_follows_suggests_nothing() -> None:
    lines = ["Hm.", "Have a nice day!", "Well.", "So."]
    graph = {"refund": "goodbye"}
    dialog, _ = await rehearsed(SimpleResponseOrchestrator(ACTIONS, graph=graph, top_k=1), turns=3, lines=lines)

    assert len(contents(dialog, "request_suggestions")) == 2
    assert len(contents(dialog, "instruct")) == 1


async def test_a_run_embeds_its_responses_once_and_a_replay_nothing(tmp_path: Path) -> None:
    embedder, journal = Letters(), tmp_path / "run.db"
    scenario = advised(SimpleResponseOrchestrator(RESPONSES, embedder=embedder, top_k=1), turns=4)
    async with Simulation(model=model(), seed=1, journal=journal, concurrency=1) as simulation:
        dialogs = [dialog async for dialog in simulation.run([scenario] * 3)]
    assert all(dialog.ending is not None and not dialog.ending.failed for dialog in dialogs)
    assert embedder.calls == 1 + 3 * 2

    async with Simulation.replay(journal, code=[embedder]) as simulation:
        async for _ in simulation.run():
            pass
    async with Simulation.replay(journal, code=[embedder]) as simulation:
        again = {dialog.digest() async for dialog in simulation.run()}

    assert again == {dialog.digest() for dialog in dialogs}
    assert digest_in(journal)
    assert embedder.calls == 7


async def test_no_journal_keeps_the_key_of_an_embedder(tmp_path: Path) -> None:
    embedder = Letters()
    embedder.api_key = "a-secret-key"  # type: ignore[attr-defined]  # as one for a service would have
    recipe = advised(SimpleResponseOrchestrator(RESPONSES, embedder=embedder)).recipe()

    assert "a-secret-key" not in str(recipe)
    assert "embedder letters" in str(recipe)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"responses": []}, "hold one at least"),
        ({"responses": ["a"], "graph": {"a": "b"}}, "needs responses by their actions"),
        ({"responses": {"a": "A"}, "graph": {"a": "b"}}, "names 'b', for which there is no response"),
        ({"responses": ["a"], "top_k": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SimpleResponseOrchestrator(**parameters)
