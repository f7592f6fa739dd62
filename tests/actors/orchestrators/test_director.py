"""The director looks on each so many turns, and advises or leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playact.actors.orchestrators import DirectorOrchestrator
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Usage
from playact.engine.errors import ReplyInvalid

from .rehearsal import contents, events, rehearsed

pytestmark = pytest.mark.anyio


def directed(*verdicts: dict[str, str] | str) -> Any:
    """Lines for the speakers, and the verdicts one after another."""
    coming = iter(verdicts)

    def lines(request: CompletionRequest) -> Completion:
        if not request.messages[0].text.startswith("You direct"):
            return Completion(text=f"This is line {request.sequence}.", usage=Usage(2, 1))
        verdict = next(coming)
        return Completion(text=verdict if isinstance(verdict, str) else json.dumps(verdict), usage=Usage(20, 5))

    return lines


LEAVE = {"verdict": "leave alone", "advice": ""}


def advise(text: str) -> dict[str, str]:
    return {"verdict": "advise", "advice": text}


async def test_it_looks_on_each_so_many_turns_of_its_agent() -> None:
    dialog, heard = await rehearsed(
        DirectorOrchestrator("Stay polite.", every=2), turns=12, lines=directed(LEAVE, advise("Smile."), LEAVE)
    )

    assert heard.instructions == [[], [], [], ["Smile."], [], []]
    assert contents(dialog, "verdict", "instruct") == [LEAVE, advise("Smile."), "Smile.", LEAVE]
    assert [ask.messages[1].text.count("line") for ask in heard.asks] == [2, 6, 10]


async def test_it_may_begin_early_and_be_shown_the_last_turns_only() -> None:
    director = DirectorOrchestrator("Stay polite.", every=3, first=2, turns=2)
    _, heard = await rehearsed(director, turns=10, lines=directed(LEAVE, LEAVE))

    assert [ask.messages[1].text.splitlines()[1:-2] for ask in heard.asks] == [
        ["Ada: This is line 0.", "Bob: This is line 1."],
        ["Ada: This is line 7.", "Bob: This is line 8."],
    ]


async def test_it_has_nothing_to_look_at_before_the_first_word() -> None:
    _, heard = await rehearsed(DirectorOrchestrator("Stay polite.", every=1), turns=3, lines=directed(LEAVE))

    assert len(heard.asks) == 1


async def test_its_rubric_and_its_agent_are_in_the_question_and_the_form_is_asked_for() -> None:
    director = DirectorOrchestrator("Stay {polite}.", every=1)
    _, heard = await rehearsed(director, turns=3, lines=directed(LEAVE))

    (ask,) = heard.asks
    assert "Stay {polite}." in ask.messages[0].text
    assert "to Ada and to nobody else" in ask.messages[0].text
    assert '"enum": ["leave alone", "advise"]' in json.dumps(ask.response_schema)


async def test_advice_that_comes_with_being_left_alone_is_none() -> None:
    verdict = {"verdict": "leave alone", "advice": "All is well."}
    dialog, heard = await rehearsed(DirectorOrchestrator("R", every=1), turns=3, lines=directed(verdict))

    assert heard.instructions == [[], []]
    assert contents(dialog, "verdict") == [LEAVE]


async def test_a_verdict_that_does_not_fit_is_asked_for_again_and_all_of_it_is_recorded_and_paid() -> None:
    dialog, heard = await rehearsed(
        DirectorOrchestrator("R", every=1), turns=3, lines=directed("Well...", advise("Smile."))
    )

    assert heard.instructions == [[], ["Smile."]]
    assert [event.actionLabel for event in events(dialog, "reply")] == ["rejected"]
    assert dialog.usage == Usage(3 * 2 + 2 * 20, 3 + 2 * 5)
    assert all("Well..." not in message.text for message in heard.requests[-1].messages)


async def test_a_reply_that_is_none_is_asked_for_once_more_and_nothing_else_is() -> None:
    verdicts = directed(advise("Smile."))

    def lines(request: CompletionRequest) -> Completion:
        if request.messages[0].text.startswith("You direct") and not request.attempt:
            raise ReplyInvalid("scripted", "half a reply")
        reply: Completion = verdicts(request)
        return reply

    dialog, heard = await rehearsed(DirectorOrchestrator("Stay polite.", every=2), turns=3, lines=lines)

    assert dialog.ending is not None
    assert dialog.ending.reason == "turn_limit"
    assert contents(dialog, "verdict") == [advise("Smile.")]
    assert [request.attempt for request in heard.asks] == [0, 1]
    assert len(heard.requests) == 3 + 2


async def test_one_that_never_gives_a_verdict_fails_its_dialog() -> None:
    dialog, _ = await rehearsed(DirectorOrchestrator("R", every=1), turns=3, lines=directed(*["No."] * 20))

    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("failed", "ReplyUnfit")


async def test_it_may_have_a_model_of_its_own() -> None:
    own = ScriptedBackend([json.dumps(advise("Smile."))], name="own")
    _, heard = await rehearsed(DirectorOrchestrator("R", every=1, model=own), turns=3)

    assert heard.instructions == [[], ["Smile."]]
    assert heard.asks == []
