"""An agent is led through a flow graph; what it did of it, and what it missed, is in the dialog's events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from playact.actors.orchestrators import Check, PlanOrchestrator, PlanStep
from playact.engine import Completion, CompletionRequest

from .rehearsal import contents, events, rehearsed

pytestmark = pytest.mark.anyio


def call(**more: Any) -> PlanOrchestrator:
    steps: dict[str, Any] = {
        "greet": {"tell": "Greet.", "check": {"keywords": ["hello", "good day"]}},
        "identify": {"tell": "Ask for the number.", "check": {"pattern": r"\b\d{4}\b", "by": "others"}},
        "close": {"tell": "Say goodbye.", "check": "bye"},
    }
    return PlanOrchestrator(steps, **more)


async def test_each_step_is_told_until_it_is_done_and_then_the_next_one() -> None:
    lines = ["Hm.", "Yes?", "Hello!", "Hi.", "Your number?", "It is 1234.", "Bye now."]
    dialog, heard = await rehearsed(call(), turns=7, lines=lines)

    assert [given[0].removeprefix("The next step of your plan: ") for given in heard.instructions] == [
        "Greet.",
        "Greet.",
        "Ask for the number.",
        "Say goodbye.",
    ]
    assert contents(dialog, "step_reached") == [
        {"step": "greet", "turn": 2},
        {"step": "identify", "turn": 5},
        {"step": "close", "turn": 6},
    ]
    assert contents(dialog, "plan_ended") == [
        {"reached": ["greet", "identify", "close"], "missed": [], "is_done": True}
    ]


async def test_when_it_is_done_nothing_more_is_told_and_it_says_so_once() -> None:
    lines = ["Hello!", "It is 1234.", "Bye now.", "But wait.", "Yes?", "So."]
    dialog, heard = await rehearsed(call(), turns=6, lines=lines)

    assert heard.instructions[2] == []
    assert contents(dialog, "plan_done") == [{"steps": 3}]
    assert [event.action for event in events(dialog)][-1] == "plan_ended"


async def test_what_was_missed_is_told_at_the_end() -> None:
    dialog, _ = await rehearsed(call(), turns=4, lines=["Hello!", "Hi.", "So.", "Well."])

    assert contents(dialog, "plan_ended") == [{"reached": ["greet"], "missed": ["identify", "close"], "is_done": False}]


async def test_one_turn_may_do_several_steps() -> None:
    dialog, _ = await rehearsed(call(), turns=2, lines=["Hello!", "1234."])
    quick = PlanOrchestrator({"one": PlanStep(tell="1", check="one"), "two": PlanStep(tell="2", check="two")})
    both, _ = await rehearsed(quick, turns=2, lines=["One and two.", "Oh."])

    assert contents(dialog, "step_reached")[-1] == {"step": "identify", "turn": 1}
    assert contents(both, "step_reached") == [{"step": "one", "turn": 0}, {"step": "two", "turn": 0}]


async def test_where_the_plan_branches_the_agent_chooses_and_the_other_branch_is_not_missed() -> None:
    steps: dict[str, Any] = {
        "ask": {"tell": "Ask.", "check": "what", "next": ["help", "pass on"]},
        "help": {"tell": "Help.", "check": "try this", "next": "end", "required": False},
        "pass on": {"tell": "Pass on.", "check": "my colleague", "next": "end", "required": False},
        "end": {"tell": "End.", "check": "bye"},
    }
    lines = ["What is it?", "It broke.", "My colleague knows.", "Fine.", "Bye."]
    dialog, heard = await rehearsed(PlanOrchestrator(steps), turns=5, lines=lines)

    assert heard.instructions[1] == ["The next step of your plan is one of these, whichever fits:\n- Help.\n- Pass on."]
    assert heard.instructions[2] == ["The next step of your plan: End."]
    assert contents(dialog, "plan_ended")[0]["missed"] == []


async def test_a_step_may_come_again_and_needs_a_later_turn_for_it() -> None:
    steps: dict[str, Any] = {
        "ask": {"tell": "Ask.", "check": "what"},
        "hear": {"tell": "Listen.", "check": {"keywords": "because", "by": "others"}, "next": ["ask"]},
    }
    lines = ["What?", "Because of this.", "And what?", "Hm, because.", "What else?", "Nothing."]
    dialog, _ = await rehearsed(PlanOrchestrator(steps), turns=6, lines=lines)

    assert [content["step"] for content in contents(dialog, "step_reached")] == ["ask", "hear", "ask", "hear", "ask"]
    assert contents(dialog, "plan_ended")[0]["is_done"] is False


async def test_a_check_may_be_a_question_to_a_model() -> None:
    answers = iter([False, True])

    def lines(request: CompletionRequest) -> Completion:
        if request.messages[0].text.startswith("You answer questions"):
            return Completion(text=json.dumps({"answer": next(answers)}))
        return Completion(text=f"This is line {request.sequence}.")

    plan = PlanOrchestrator({"calm": PlanStep(tell="Calm Bob.", check=Check(question="Is Bob calm?"))})
    dialog, heard = await rehearsed(plan, turns=4, lines=lines)

    assert contents(dialog, "step_reached") == [{"step": "calm", "turn": 3}]
    assert contents(dialog, "plan_ended")[0]["is_done"] is True
    first, last = heard.asks
    assert first.messages[1].text.endswith("Answer yes (true) or no (false): Is Bob calm?")
    assert last.messages[1].text.count(": This is line") == 4


async def test_a_check_may_be_a_function() -> None:
    step = PlanStep(tell="Say much.", check=Check(predicate=lambda text: len(text.split()) > 5, by="anyone"))
    dialog, _ = await rehearsed(
        PlanOrchestrator({"much": step}), turns=3, lines=["Hm.", "This is rather a lot to say.", "So."]
    )

    assert contents(dialog, "step_reached") == [{"step": "much", "turn": 1}]


async def test_keywords_are_whole_words() -> None:
    plan = PlanOrchestrator({"hi": PlanStep(tell="Greet.", check=Check(keywords=("hi", "c++")))})
    dialog, _ = await rehearsed(plan, turns=5, lines=["This thing.", "Hi.", "I know C++!"])

    assert contents(dialog, "step_reached") == [{"step": "hi", "turn": 2}]


async def test_a_dialog_that_fails_is_not_concluded() -> None:
    def lines(request: CompletionRequest) -> str:
        if request.sequence == 2:
            raise RuntimeError("no more")
        return "Hello!"

    dialog, _ = await rehearsed(call(), lines=lines)

    assert dialog.ending is not None
    assert dialog.ending.failed
    assert contents(dialog, "plan_ended") == []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"steps": {}}, "must name one at least"),
        ({"steps": {"a": {"tell": "A", "check": "a", "next": ["b"]}}}, "a leads to 'b', which is no step"),
        ({"steps": {"a": {"tell": "A", "check": "a"}}, "start": "z"}, "start leads to 'z'"),
        ({"steps": {"a": {"tell": "A", "check": {}}}}, "exactly one of"),
        ({"steps": {"a": {"tell": "A", "check": {"pattern": "a", "keywords": ["b"]}}}}, "exactly one of"),
        ({"steps": {"a": {"tell": "A", "check": "("}}}, "no regular expression"),
    ],
)
def test_what_is_no_plan_is_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PlanOrchestrator(**parameters)
