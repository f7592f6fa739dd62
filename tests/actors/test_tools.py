"""Functions as tools: which of them a model can call, what it is told of them, and what it reads when they answer."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, ValidationError

from playact.actors import Agent, Scenario, final_response_tool, tool
from playact.actors.recipes import scenario_from
from playact.actors.tools import Toolbox
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Dialog, Simulation, ToolCall
from playact.engine.messages import ToolReturned, ToolsWithheld

pytestmark = pytest.mark.anyio


def price(item: str, count: int = 1) -> str:
    """What something costs.

    Prices are of today.

    Args:
        item: what to look up,
            by its name
        count (int): how many of it
        stock: nothing that the function knows

    Returns:
        The price in words.
    """
    return f"{count} {item}: {2 * count} €"


class Till:
    """A till."""

    def __init__(self, sum: int) -> None:
        self.sum = sum

    def pay(self, amount: int) -> int:
        """Pays."""
        return self.sum + amount

    async def __call__(self, amount: int) -> int:
        return self.sum - amount


class Receipt(BaseModel):
    total: int


@dataclass
class Coin:
    value: int


async def answer(function: Callable[..., Any], arguments: str = "{}", **settings: Any) -> str:
    toolbox = Toolbox([function], **settings)
    return await toolbox.call(ToolCall("c", toolbox.specs[0].name, arguments))


class TestWhatAModelIsTold:
    def test_the_docstring_tells_of_the_tool_and_of_its_arguments(self) -> None:
        (spec,) = Toolbox([price]).specs

        assert spec.description == "What something costs.\n\nPrices are of today.\n\nReturns:\n    The price in words."
        properties: Any = spec.parameters["properties"]
        assert properties["item"]["description"] == "what to look up, by its name"
        assert properties["count"]["description"] == "how many of it"
        assert properties["count"]["default"] == 1
        assert spec.parameters["required"] == ["item"]

    def test_a_tool_can_have_another_name_than_its_function(self) -> None:
        @tool(name="look-up")
        def look_up_v2(item: str) -> str:
            return item

        assert Toolbox([look_up_v2]).specs[0].name == "look-up"

    async def test_methods_objects_and_partial_functions_are_tools_too(self) -> None:
        till = Till(10)

        assert await answer(till.pay, '{"amount": 2}') == "12"
        assert await answer(till, '{"amount": 2}') == "8"
        assert await answer(partial(price, "tea"), '{"count": 3}') == "3 tea: 6 €"
        assert [spec.name for spec in Toolbox([till.pay, till, partial(price, "tea")]).specs] == [
            "pay",
            "Till",
            "price",
        ]

    async def test_an_argument_without_a_type_takes_any_json(self) -> None:
        def verify(user_id):  # type: ignore[no-untyped-def]
            return {"user": user_id}

        assert Toolbox([verify]).specs[0].parameters["required"] == ["user_id"]
        assert await answer(verify, '{"user_id": 7}') == '{"user": 7}'
        assert await answer(verify, '{"user_id": ["a", null]}') == '{"user": ["a", null]}'
        assert (await answer(verify)).startswith("Error: the arguments do not fit: user_id")


class TestWhatNoModelCanCall:
    @pytest.mark.parametrize(
        ("function", "problem"),
        [
            (lambda: None, 'no model can call a tool "<lambda>"'),
            (eval("lambda *a: 1"), "no model can call"),  # noqa: S307
            (print, "the tool print "),
        ],
    )
    def test_a_function_without_a_name_or_with_any_number_of_arguments(
        self, function: Callable[..., Any], problem: str
    ) -> None:
        with pytest.raises(ValidationError, match=problem):
            Agent(name="Mia", tools=[function])

    def test_any_number_of_arguments(self) -> None:
        def many(*items: str) -> None: ...
        def keyed(**items: str) -> None: ...
        def placed(item: str, /) -> None: ...

        for function, problem in ((many, "any number"), (keyed, "any keyword"), (placed, "by its place only")):
            with pytest.raises(ValidationError, match=f"the tool {function.__name__} takes .*{problem}"):
                Agent(name="Mia", tools=[function])

    def test_arguments_of_no_known_type(self) -> None:
        def odd(item: threading.Event) -> None: ...
        def lost(item: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

        for function in (odd, lost):
            with pytest.raises(ValidationError, match=f"the tool {function.__name__} has an argument that no schema"):
                Agent(name="Mia", tools=[function])

    def test_two_of_one_name(self) -> None:
        with pytest.raises(ValidationError, match="two tools are called price"):
            Agent(name="Mia", tools=[price, tool(name="price")(lambda: None)])

    def test_what_is_no_function(self) -> None:
        with pytest.raises(ValidationError, match="a tool is a Python function"):
            Agent(name="Mia", tools=["price"])  # type: ignore[list-item]


class TestAnswers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("as it is", "as it is"),
            (None, "null"),
            ({"b", "a"}, '["a", "b"]'),
            ({1: (2, {"three": {3}})}, '{"1": [2, {"three": [3]}]}'),
            (b"caf\xc3\xa9 \xff", '"café \ufffd"'),
            (Receipt(total=3), '{"total": 3}'),
            ([Coin(2)], '[{"value": 2}]'),
            (Path("a/b"), '"a/b"'),
        ],
    )
    async def test_an_answer_of_any_type_becomes_text(self, value: object, text: str) -> None:
        def give() -> Any:
            return value

        assert await answer(give) == text

    async def test_what_goes_wrong_is_what_the_model_reads(self) -> None:
        endless: list[Any] = []
        endless.append(endless)

        def exits() -> None:
            sys.exit("good bye")

        def loses() -> None:
            raise LookupError("no such book")

        def checks() -> Receipt:
            return Receipt.model_validate({"total": "x"})

        async def goes_round() -> Any:
            return endless

        assert await answer(exits) == "Error: SystemExit: good bye"
        assert await answer(loses) == "Error: LookupError: no such book"
        assert (await answer(checks)).startswith("Error: ValidationError: 1 validation error for Receipt")
        assert (await answer(goes_round)).startswith("Error: RecursionError")
        assert (await answer(price, '{"item": 3}')).startswith("Error: the arguments do not fit: item: ")
        assert (await answer(price, '{"item": ')).startswith("Error: the arguments do not fit: ")
        assert await Toolbox([price]).call(ToolCall("c", "prize", "")) == (
            "Error: there is no tool 'prize'; there is price."
        )

    async def test_a_very_long_answer_is_cut(self) -> None:
        def write() -> str:
            return "word " * 40_000

        text = await answer(write)

        assert len(text) < 100_100
        assert text.endswith("… (100000 more characters are left out)")

    async def test_a_tool_that_takes_too_long_is_given_up_also_when_it_blocks(self) -> None:
        go_on = threading.Event()
        has_ended = threading.Event()

        def block() -> None:
            go_on.wait()
            has_ended.set()

        @tool(timeout_s=0.02)
        async def wait() -> None:
            await anyio.sleep_forever()

        assert await answer(wait) == "Error: wait gave no answer within 0.02 s"
        assert await answer(block, timeout_s=0.02) == "Error: block gave no answer within 0.02 s"
        go_on.set()
        assert await anyio.to_thread.run_sync(has_ended.wait, 5)


class TestInADialog:
    async def test_tools_of_one_reply_run_at_the_same_time_and_are_told_in_the_order_asked(self) -> None:
        second_is_there = anyio.Event()

        async def first() -> str:
            await second_is_there.wait()
            return "one"

        async def second() -> str:
            second_is_there.set()
            return "two"

        dialog = await played([first, second], asking("first", "second"))

        assert [event.content for event in dialog.events or () if event.actionLabel == "output"] == [
            {"name": "first", "output": "one", "call_id": "c0"},
            {"name": "second", "output": "two", "call_id": "c1"},
        ]
        assert [event.actionLabel for event in dialog.events or ()] == ["call", "output"] * 2 + [None]

    @pytest.mark.parametrize(
        ("output", "said", "asked"), [("It costs 2 €.", "It costs 2 €.", 1), ("", "Well.", 2), (None, "Well.", 2)]
    )
    async def test_what_a_final_tool_answers_is_the_reply(self, output: str | None, said: str, asked: int) -> None:
        @final_response_tool
        @tool(name="quote")
        def quote_price() -> str:
            if output is None:
                raise LookupError
            return output

        requests: list[CompletionRequest] = []
        dialog = await played([quote_price, price], asking("quote", requests=requests))

        assert dialog.turns[0].text == said
        assert len(requests) == asked

    async def test_the_number_of_rounds_is_a_setting_and_its_end_is_told(self) -> None:
        def now() -> str:
            return "noon"

        mia = Agent(name="Mia", tools=[now], max_tool_rounds=3)
        facts: list[object] = []

        async with (
            Simulation(model=asking("now", always=True)) as simulation,
            simulation.events(ToolReturned, ToolsWithheld) as events,
        ):
            dialog = await simulation.play(Scenario(cast=(mia, Agent(name="Bob")), max_turns=1))
            facts += [(await anext(events)).fact for _ in range(4)]

        assert dialog.turns[0].text == "Well."
        assert [type(fact) for fact in facts] == [ToolReturned] * 3 + [ToolsWithheld]
        assert facts[-1] == ToolsWithheld("Mia", 3)

    async def test_neither_a_replay_nor_a_resume_calls_a_tool_again(self, tmp_path: Path) -> None:
        RUNG.clear()
        path = tmp_path / "run.db"
        scenario = Scenario(cast=(Agent(name="Mia", tools=[ring, knock]), Agent(name="Bob")), max_turns=1)
        have_answered = anyio.Event()

        async def halfway(request: CompletionRequest) -> Completion | str:
            if request.messages[-1].role != "tool":
                calls = (ToolCall("c0", "ring", "{}"), ToolCall("c1", "knock", "{}"))
                return Completion(text="", tool_calls=calls)
            have_answered.set()
            await anyio.sleep_forever()
            return ""

        async with (
            Simulation(model=ScriptedBackend(halfway), journal=path) as simulation,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(finished, simulation, [scenario])
            await have_answered.wait()
            tasks.cancel_scope.cancel()
        rung = list(RUNG)
        resumed = await opened_and_finished(Simulation.resume(path, model=asking("ring", "knock"), code=[ring, knock]))
        replayed = await opened_and_finished(Simulation.replay(path, code=[ring, knock]))

        assert sorted(rung) == ["knock", "ring"]
        assert rung == RUNG
        assert resumed[0].turns[0].text == "Well."
        assert [dialog.digest() for dialog in replayed] == [dialog.digest() for dialog in resumed]

    def test_a_scenario_with_tools_goes_into_a_journal_and_comes_back(self) -> None:
        scenario = Scenario(
            cast=(Agent(name="Mia", tools=[settled, Till(3)], tool_timeout_s=5, max_tool_rounds=2), Agent(name="Bob"))
        )

        again = scenario_from(json.loads(json.dumps(scenario.recipe())), code=[settled, Till])

        mia = again.cast[0]
        assert mia.tools[0] is settled
        assert isinstance(mia.tools[1], Till)
        assert (mia.tools[1].sum, mia.tool_timeout_s, mia.max_tool_rounds) == (3, 5, 2)


RUNG: list[str] = []


async def ring() -> str:
    await anyio.lowlevel.checkpoint()
    RUNG.append("ring")
    return "rung"


async def knock() -> str:
    RUNG.append("knock")
    return "knocked"


@tool(timeout_s=9)
def settled(item: str) -> str:
    return item


def asking(*names: str, always: bool = False, requests: list[CompletionRequest] | None = None) -> ScriptedBackend:
    """A model that asks for all these tools at once, and once a turn unless `always`, then says "Well."."""

    def reply(request: CompletionRequest) -> Completion | str:
        if requests is not None:
            requests.append(request)
        if request.tools and (always or request.messages[-1].role != "tool"):
            calls = tuple(ToolCall(f"c{place}", name, "{}") for place, name in enumerate(names))
            return Completion(text="", tool_calls=calls)
        return "Well."

    return ScriptedBackend(reply)


async def played(tools: list[Callable[..., Any]], model: ScriptedBackend) -> Dialog:
    async with Simulation(model=model) as simulation:
        return await simulation.play(Scenario(cast=(Agent(name="Mia", tools=tools), Agent(name="Bob")), max_turns=1))


async def finished(simulation: Simulation, scenarios: list[Scenario] | None = None) -> list[Dialog]:
    return [dialog async for dialog in simulation.run(scenarios)]


async def opened_and_finished(simulation: Simulation) -> list[Dialog]:
    async with simulation:
        return await finished(simulation)


def test_a_tool_may_be_marked_without_parentheses() -> None:
    @tool
    def add(a: int, b: int) -> int:
        return a + b

    toolbox = Toolbox([add])

    assert [spec.name for spec in toolbox.specs] == ["add"]
    assert add(1, 2) == 3
