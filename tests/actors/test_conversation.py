"""Whoever writes the program talks with an agent: on the engine that plays all dialogs, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors import Agent, Conversation, Orchestrator, Persona, SimpleReflexOrchestrator
from playact.actors.chat_messages import as_dict, message_of
from playact.backends.embedded import EmbeddedBackend
from playact.backends.scripted import ScriptedBackend
from playact.engine import (
    Budget,
    Completion,
    CompletionRequest,
    Context,
    Dialog,
    Instruction,
    Message,
    Simulation,
    ToolCall,
    Turn,
)
from playact.engine.errors import DialogFailed, PlayactError, SetupError, SimulationClosed

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada", role="barista"))


def echoing(seen: list[CompletionRequest] | None = None) -> ScriptedBackend:
    """A model that says how many messages it was shown, and the last of them."""

    def answer(request: CompletionRequest) -> str:
        if seen is not None:
            seen.append(request)
        return f"{len(request.messages)} {request.messages[-1].text}"

    return ScriptedBackend(answer)


async def now() -> str:
    return "noon"


class Numbering(Orchestrator):
    """Counts in its own mind how often it was asked."""

    count = 0

    def instruct(self, dialog: Dialog, utterance: str) -> str:
        self.count += 1
        return f"Say {self.count}."


def roles(chat: Conversation) -> list[str]:
    return [message["role"] for message in chat.memory_dump()]


async def test_an_agent_answers_and_remembers_until_its_partner_leaves() -> None:
    async with ADA.conversation(model=echoing()) as chat:
        replies = [await chat("Hi"), await chat("A tea"), await chat("Bye")]

    assert replies == ["2 Hi", "4 A tea", "6 Bye"]
    assert chat.dialog.get_speakers() == ["User", "Ada"]
    assert chat.dialog.ending is not None
    assert (chat.dialog.ending.reason, chat.dialog.ending.detail) == ("finished", "partner left")


async def test_two_conversations_with_one_agent_know_nothing_of_each_other() -> None:
    async with (
        Simulation(model=echoing(), seed=1) as simulation,
        ADA.conversation(simulation=simulation) as one,
        ADA.conversation(simulation=simulation, partner="Bob", context="A cafe") as other,
    ):
        await one("Hi")
        reply = await other("Hello")

        assert reply == "2 Hello"
        assert "talking with Bob" in other.memory_dump()[0]["content"]
        assert "A cafe" in other.memory_dump()[0]["content"]
        assert "A cafe" not in one.memory_dump()[0]["content"]
        assert one.dialog.id != other.dialog.id


async def test_an_agent_that_has_finished_says_no_more() -> None:
    model = ScriptedBackend(["Hello.", "Bye! [[END]]"])
    async with ADA.conversation(model=model) as chat:
        replies = [await chat("Hi"), await chat("Bye"), await chat("Still there?")]

    assert replies == ["Hello.", "Bye!", None]
    assert chat.dialog.complete
    assert len(chat.dialog) == 4


async def test_it_speaks_first_when_nothing_is_said_to_it() -> None:
    host = Agent(name="Mia", first_utterance="Welcome!")
    async with host.conversation(model=echoing()) as chat:
        assert await chat() == "Welcome!"
        assert roles(chat) == ["system", "user", "assistant"]


async def test_an_instruction_is_for_the_next_reply_unless_it_is_to_stay() -> None:
    seen: list[CompletionRequest] = []
    async with ADA.conversation(model=echoing(seen)) as chat:
        chat.instruct("Be rude.")
        chat.instruct("Rhyme.", persist=True)
        await chat("Hi")
        await chat("And now?")

    told = [[message.text for message in request.messages[1:] if message.role == "system"] for request in seen]
    assert told == [["Be rude.", "Rhyme."], ["Rhyme."]]
    assert [message.role for message in seen[0].messages] == ["system", "system", "system", "user"]
    assert [event.action for event in chat.dialog.events or ()][1:3] == ["instruct", "instruct-persist"]


async def test_a_lookahead_foresees_the_reply_and_leaves_no_trace_in_any_memory() -> None:
    def price(drink: str) -> str:
        raise AssertionError("a lookahead calls no tool")

    heard: list[str] = []

    class Ear(Orchestrator):
        def instruct(self, dialog: object, utterance: str) -> None:
            heard.append(utterance)

    agent = Agent(name="Ada", tools=[price], orchestrators=[Ear()])
    async with agent.conversation(model=echoing()) as chat:
        await chat("Hi")
        before = chat.memory_dump()
        foreseen = [await chat.response_lookahead("A tea"), await chat.response_lookahead("A coffee")]
        after = chat.memory_dump()
        reply = await chat("A tea")

    assert foreseen == ["4 A tea", "4 A coffee"]
    assert reply == foreseen[0]
    assert before == after
    assert heard == ["Hi", "A tea"]
    assert chat.dialog.usage is not None
    assert chat.dialog.usage.completion_tokens == 11  # what was foreseen has its price


async def test_a_reset_begins_another_dialog() -> None:
    async with ADA.conversation(model=echoing(), seed=1, context="A cafe") as chat:
        await chat("Hi")
        first = chat.dialog
        chat.instruct("Never said.")
        chat.reset(seed=2, context=Context(location="A bar"))
        reply = await chat("Hi")

        assert reply == "2 Hi"
        assert "A bar" in chat.memory_dump()[0]["content"]
        assert "A cafe" not in chat.memory_dump()[0]["content"]
        assert (first.seed, chat.dialog.seed) == (1, 2)
        assert first.id != chat.dialog.id


async def test_its_events_are_those_of_the_turn() -> None:
    def answer(request: CompletionRequest) -> Completion | str:
        if request.messages[-1].role != "tool":
            return Completion(text="<think>Hm.</think>", tool_calls=(ToolCall("c", "price", "{}"),))
        return "Two euros."

    async def price() -> str:
        return "2"

    polite = SimpleReflexOrchestrator(condition="tea", instruction="Be polite.")
    async with (Agent(name="Ada", tools=[price]) | polite).conversation(model=ScriptedBackend(answer)) as chat:
        events = await chat("A tea?", return_events=True)

    assert events is not None
    assert [(event.action, event.actionLabel) for event in events] == [
        ("instruct", "SimpleReflexOrchestrator"),
        ("think", None),
        ("tool", "call"),
        ("tool", "output"),
        ("utter", None),
    ]


async def test_an_orchestrator_has_its_last_word() -> None:
    class Counting(Orchestrator):
        def instruct(self, dialog: Any, utterance: str) -> None:
            return None

        def conclude(self, dialog: Any) -> Any:
            return Instruction(text="", events=self.note("count", len(dialog)))

    async with (ADA | Counting()).conversation(model=echoing()) as chat:
        await chat("Hi")
        await chat.response_lookahead("And?")

    assert [event.content for event in chat.dialog.events or () if event.action == "count"] == [2]


async def test_what_was_said_is_not_lost_when_the_model_fails() -> None:
    async with ADA.conversation(model=ScriptedBackend(["Hello."])) as chat:
        await chat("Hi")
        with pytest.raises(DialogFailed) as failure:
            await chat("More?")
        with pytest.raises(DialogFailed):
            await chat("Still?")
        said = [turn.text for turn in failure.value.dialog.turns]  # type: ignore[attr-defined]
        chat.reset()
        with pytest.raises(DialogFailed):
            await chat("Anew?")

    assert said == ["Hi", "Hello.", "More?"]


async def test_a_budget_that_is_spent_is_told() -> None:
    model = ScriptedBackend(lambda request: "Hello.", max_tokens=1)
    async with (
        Simulation(model=model, budget=Budget(calls=1)) as simulation,
        ADA.conversation(simulation=simulation) as chat,
    ):
        assert await chat("Hi") == "Hello."
        with pytest.raises(DialogFailed, match="budget"):
            await chat("More?")


async def test_a_model_that_cannot_be_used_is_told_before_anything_is_said() -> None:
    with pytest.raises(SetupError, match="no-such-backend"):
        async with Agent(name="Ada", model="no-such-backend:x").conversation(model=echoing()):
            raise AssertionError("not entered")


async def test_a_call_that_is_cancelled_gives_up_its_turn_and_the_next_one_goes_on() -> None:
    waits = [True]

    async def answer(request: CompletionRequest) -> str:
        if waits.pop() if waits else False:
            await anyio.sleep_forever()
        return request.messages[-1].text

    async with ADA.conversation(model=ScriptedBackend(answer)) as chat:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat, "Hi")
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        reply = await chat("Hello?")

    assert reply == "Hi\nHello?"
    assert [turn.speaker for turn in chat.dialog] == ["User", "User", "Ada"]


async def test_a_turn_given_up_is_in_nobodys_mind_and_a_replay_gives_it_up_too(tmp_path: Path) -> None:
    has_begun = anyio.Event()

    async def answer(request: CompletionRequest) -> Completion | str:
        if request.messages[-1].role != "tool":
            return Completion(text="", tool_calls=(ToolCall("c", "now", "{}"),))
        if not has_begun.is_set():
            has_begun.set()
            await anyio.sleep_forever()
        return " ".join(message.text for message in request.messages if message.role == "system")

    path = tmp_path / "run.db"
    agent = Agent(name="Ada", tools=[now], system_prompt="You are Ada.", orchestrators=[Numbering()])
    async with (
        Simulation(model=ScriptedBackend(answer), journal=path) as simulation,
        agent.conversation(simulation=simulation) as chat,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat, "Hi")
            await has_begun.wait()
            tasks.cancel_scope.cancel()
        replies = [await chat("Hello?"), await chat("And now?")]
    async with Simulation.replay(path, code=[Numbering, now]) as replay:
        (dialog,) = [dialog async for dialog in replay.run()]

    assert replies == ["You are Ada. Say 1.", "You are Ada. Say 2."]
    assert dialog.digest() == chat.dialog.digest()
    assert [event.action for event in dialog.events or ()].count("tool") == 4


async def test_calls_made_at_once_take_turns() -> None:
    async with ADA.conversation(model=echoing()) as chat, anyio.create_task_group() as tasks:
        for word in ("one", "two", "three"):
            tasks.start_soon(chat, word)

    assert [turn.speaker for turn in chat.dialog] == ["User", "Ada"] * 3


async def test_an_error_of_the_callers_own_leaves_as_it_is_and_the_dialog_is_cancelled() -> None:
    with pytest.raises(ZeroDivisionError):
        async with ADA.conversation(model=echoing()) as chat:
            await chat("Hi")
            raise ZeroDivisionError

    assert chat.dialog.ending is not None
    assert chat.dialog.ending.reason == "cancelled"


async def test_a_simulation_cancels_it_by_its_id_and_has_room_again_when_it_is_over() -> None:
    async with Simulation(model=echoing(), concurrency=1) as simulation:
        async with ADA.conversation(simulation=simulation) as chat:
            await chat("Hi")
            assert simulation.cancel(str(chat.dialog.id))
            with pytest.raises(DialogFailed, match="cancelled"):
                await chat("Still there?")
        again = await ADA("Hi", simulation=simulation)

        assert again == "2 Hi"
        assert simulation.playing == 0


async def test_outside_its_block_there_is_nobody_to_talk_to() -> None:
    chat = ADA.conversation(model=echoing())
    with pytest.raises(PlayactError, match="async with"):
        await chat("Hi")
    async with chat:
        await chat("Hi")
    with pytest.raises(SimulationClosed):
        await chat("Hi")


async def test_a_journal_keeps_it_and_a_replay_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with Simulation(model=echoing(), seed=3, journal=path) as simulation:
        async with (ADA | SimpleReflexOrchestrator("tea", "Smile.")).conversation(simulation=simulation) as chat:
            await chat("A tea, please")
            chat.instruct("Be rude.")
            await chat.response_lookahead("Why?")
            await chat("Thanks")
        await ADA([{"role": "user", "content": "A"}, {"role": "user", "content": "B"}], simulation=simulation)

    async with Simulation.replay(path) as replay:
        dialogs = [dialog async for dialog in replay.run(ordered=True)]

    assert [turn.text for turn in dialogs[0]] == [turn.text for turn in chat.dialog]
    assert dialogs[0].digest() == chat.dialog.digest()
    assert [turn.text for turn in dialogs[1]] == ["A", "B", "2 A\nB"]


async def test_where_it_was_broken_off_nobody_is_there_any_more_when_it_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with pytest.raises(ZeroDivisionError):
        async with (
            Simulation(model=echoing(), journal=path) as simulation,
            ADA.conversation(simulation=simulation) as chat,
        ):
            await chat("Hi")
            raise ZeroDivisionError

    async with Simulation.resume(path, model=echoing()) as resumed:
        (dialog,) = [dialog async for dialog in resumed.run()]

    assert [turn.text for turn in dialog] == ["Hi", "2 Hi"]
    assert dialog.ending is not None
    assert dialog.ending.detail == "partner left"


async def test_one_utterance_has_one_answer_and_no_memory() -> None:
    assert [await ADA("Hi", model=echoing()), await ADA("Hi", model=echoing())] == ["2 Hi", "2 Hi"]


async def test_messages_are_answered_after_the_agents_own_instructions() -> None:
    seen: list[CompletionRequest] = []
    messages: list[Message | dict[str, Any]] = [
        {"role": "system", "content": "It rains."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "now", "arguments": '{"in": "x"}'}}],
        },
        {"role": "tool", "content": "noon", "tool_call_id": "c"},
        {"role": "assistant", "content": "It is noon."},
        Message("user", "Thanks"),
    ]

    reply = await ADA(messages, model=echoing(seen))

    assert reply == "7 Thanks"
    assert "You are Ada" in seen[0].messages[0].text
    assert [as_dict(message_of(message)) for message in messages] == [as_dict(each) for each in seen[0].messages[1:]]


async def test_what_was_said_before_may_come_one_by_one() -> None:
    seen: list[CompletionRequest] = []
    before = ({"role": "user", "content": text} for text in ("It rains.", "Still."))

    async with Conversation(ADA, model=echoing(seen), history=before) as chat:
        await chat("Hi")

    assert seen[0].messages[-1].text == "It rains.\nStill.\nHi"


@pytest.mark.parametrize(
    "content", [{"role": "boss", "content": "x"}, {"content": "x"}, "Hi", {"role": "user", "content": 3}]
)
async def test_what_is_no_message_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match=r"is no message; write \{"):
        await ADA([content], model=echoing())


@given(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(), st.none() | st.text())
def test_a_message_comes_back_from_its_dict(role: Any, text: str, call: str | None) -> None:
    message = Message(role, text, (ToolCall("1", "f", text),) if role == "assistant" else (), call)

    assert message_of(as_dict(message)) == message


async def test_a_memory_that_was_dumped_is_one_to_go_on_from() -> None:
    async with ADA.conversation(model=echoing()) as chat:
        await chat("Hi")
        await chat("A tea")
        dumped = chat.memory_dump()[1:]
        reply = await chat("Thanks")

    assert await ADA([*dumped, {"role": "user", "content": "Thanks"}], model=echoing()) == reply


async def test_dialogs_have_the_ids_and_the_examples_that_they_are_asked_for_with() -> None:
    seen: list[CompletionRequest] = []
    example = Dialog(turns=[Turn(speaker="Ada", text="An example of wit.")])
    dialog = await ADA.talk_with(
        Agent(name="Bob"), id=7, parent_id="six", example_dialogs=[example], max_turns=2, model=echoing(seen)
    )

    assert (dialog.id, dialog.parentId) == (7, "six")
    assert all("An example of wit." in request.messages[0].text for request in seen)


def test_an_agent_tells_who_it_is() -> None:
    agent = Agent(ADA.persona, model="embedded", first_utterance="Hi.") | SimpleReflexOrchestrator("tea", "Smile.")

    told = agent.json()

    assert (told["name"], told["model"], told["first_utterances"]) == ("Ada", "embedded", ["Hi."])
    assert told["persona"]["role"] == "barista"
    assert told["orchestrators"][0]["name"] == "SimpleReflexOrchestrator"
    assert '"name": "Ada"' in agent.json(string=True)
    assert (agent.get_name(), Agent().get_name("Me")) == ("Ada", "Me")
    assert "talking with Ben. The situation: A cafe" in agent.prompt(partner="Ben", context="A cafe")


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_packaged_model_talks() -> None:
    async with ADA.conversation(model=EmbeddedBackend()) as chat:
        replies = [await chat("Hello, what do you sell?"), await chat("Can I have a coffee?")]

    assert all(isinstance(reply, str) and reply.strip() for reply in replies)


async def test_one_answer_may_be_had_with_all_that_led_to_it() -> None:
    ada = Agent(Persona(name="Ada")) | SimpleReflexOrchestrator("tea", "Say no.")

    events = await ada("A tea?", return_events=True, model=ScriptedBackend(["<think>Hm.</think>No."]))

    assert [(event.action, event.content) for event in events or ()] == [
        ("instruct", "Say no."),
        ("think", "Hm."),
        ("utter", "No."),
    ]


async def test_a_reset_may_show_other_examples() -> None:
    example = Dialog(turns=[Turn(speaker="Eve", text="Never on a Monday.")])
    async with Agent(Persona(name="Ada")).conversation(model=ScriptedBackend(["Hi.", "Hello."])) as chat:
        await chat("Hi")
        before = chat.memory_dump()[0]["content"]
        chat.reset(example_dialogs=[example])
        await chat("Hi")
        after = chat.memory_dump()[0]["content"]

    assert "Monday" not in before
    assert "Never on a Monday." in after
