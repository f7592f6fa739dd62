"""What goes wrong with agents in sdialog 0.5.3, each as it is here."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from playact.actors import (
    Agent,
    BasePersistentOrchestrator,
    LengthOrchestrator,
    Persona,
    SimpleReflexOrchestrator,
    final_response_tool,
)
from playact.backends.scripted import ScriptedBackend
from playact.engine import Completion, CompletionRequest, Context, Dialog, Simulation, ToolCall
from playact.engine.errors import DialogFailed

pytestmark = pytest.mark.anyio

BOB = Agent(name="Bob")


def saying(*lines: str | Completion) -> ScriptedBackend:
    return ScriptedBackend(list(lines))


def calling(name: str, *, text: str = "", arguments: str = "{}") -> Completion:
    return Completion(text=text, tool_calls=(ToolCall("c", name, arguments),))


async def test_a_stopwatch_does_not_stop_a_dialog() -> None:
    """sdialog looks for its stop word anywhere: "STOPWATCH" ends the dialog."""
    async with Agent(name="Ada").conversation(model=saying("My STOPWATCH says STOP.", "Still here.")) as chat:
        replies = [await chat("Time?"), await chat("Are you there?")]

    assert replies == ["My STOPWATCH says STOP.", "Still here."]


async def test_the_events_of_a_last_turn_without_words_are_kept() -> None:
    """sdialog drops the thoughts, tools and instructions of a closing turn that says nothing."""

    async def hang_up() -> str:
        return "done"

    model = saying(calling("hang_up", text="<think>Enough.</think>"), "[[END]]")
    agent = Agent(name="Ada", tools=[hang_up]) | SimpleReflexOrchestrator("Hi", "Be brief.")
    async with agent.conversation(model=model) as chat:
        events = await chat("Hi", return_events=True)

    assert events is not None
    assert [event.action for event in events] == ["instruct", "think", "tool", "tool"]
    assert [event.action for event in chat.dialog.events or ()] == ["utter", *(event.action for event in events)]


async def test_of_two_agents_of_one_name_both_personas_and_both_models_are_kept() -> None:
    """sdialog keeps one persona for both, and the model of the one that speaks first."""
    young, old = Agent(Persona(name="Al", age=9)), Agent(Persona(name="Al", age=90), model=saying("Old."))

    dialog = await young.dialog_with(old, model=saying("Young."), max_turns=2)

    assert dialog.personas is not None
    assert {name: persona["age"] for name, persona in dialog.personas.items()} == {"Al": 9, "Al 2": 90}
    assert dialog.model == {"name": "scripted", "agents": {"Al 2": "scripted"}}


async def test_a_tool_that_fails_is_told_to_the_model_which_then_answers() -> None:
    """In sdialog the model is not asked again, and the reply is empty."""
    seen: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> Completion | str:
        seen.append(request)
        return calling("price") if len(seen) == 1 else "I cannot say."

    async def price() -> str:
        raise ConnectionError("the till is closed")

    reply = await Agent(name="Ada", tools=[price])("How much?", model=ScriptedBackend(answer))

    assert reply == "I cannot say."
    assert seen[1].messages[-1].text == "Error: ConnectionError: the till is closed"


async def test_a_model_that_asks_for_tools_for_ever_comes_to_an_end() -> None:
    """sdialog makes 983 calls, until Python's recursion limit."""
    model = ScriptedBackend(lambda request: calling("now") if request.tools else "Noon.")

    async def now() -> str:
        return "noon"

    async with Simulation(model=model) as simulation:
        reply = await Agent(name="Ada", tools=[now])("Time?", simulation=simulation)
        calls = simulation.statistics().calls

    assert (reply, calls) == ("Noon.", 9)


async def test_looking_ahead_calls_no_tool_and_changes_no_memory() -> None:
    """In sdialog a lookahead calls tools, and the memory grows from 3 to 5 messages."""
    called: list[str] = []

    async def price() -> str:
        called.append("price")
        return "2"

    model = ScriptedBackend(lambda request: calling("price") if request.tools and called == ["x"] else "Two euros.")
    async with Agent(name="Ada", tools=[price]).conversation(model=model) as chat:
        await chat("Hi")
        before = chat.memory_dump()
        called.append("x")

        assert await chat.response_lookahead("How much?") == "Two euros."
        assert (chat.memory_dump(), called) == (before, ["x"])


@pytest.mark.parametrize("is_final", [False, True])
async def test_a_reply_is_processed_once_also_after_a_tool(is_final: bool) -> None:
    """sdialog applies `postprocess_fn` twice to it."""

    async def price() -> str:
        return "Two euros"

    tool = final_response_tool(price) if is_final else price
    agent = Agent(name="Ada", tools=[tool], postprocess=lambda text: f"{text}!")

    assert await agent("How much?", model=saying(calling("price"), "Two euros")) == "Two euros!"


def test_a_pipe_changes_nothing_but_gives_a_new_agent() -> None:
    """sdialog's changes the agent and returns it."""
    agent = Agent(name="Ada")

    piped = agent | LengthOrchestrator(min=3)

    assert agent.orchestrators == ()
    assert piped.orchestrators == (LengthOrchestrator(min=3),)


async def test_a_context_holds_for_the_dialog_that_it_is_given_to() -> None:
    """In sdialog it stays in the agent's prompt for the dialogs after it."""
    seen: list[CompletionRequest] = []
    model = ScriptedBackend(lambda request: seen.append(request) or "Yes.")  # type: ignore[func-returns-value]
    agent = Agent(name="Ada")

    await agent("Hi", context=Context(location="Downtown cafe"), model=model)
    await agent.dialog_with(BOB, context=Context(location="Downtown cafe"), max_turns=1, model=model)
    await agent("Hi", model=model)
    await agent.dialog_with(BOB, max_turns=1, model=model)

    assert ["Downtown" in request.messages[0].text for request in seen] == [True, True, False, False]


async def test_what_was_said_before_a_model_failed_is_not_lost() -> None:
    """In sdialog the exception is all there is."""
    with pytest.raises(DialogFailed) as failure:
        await Agent(name="Ada").dialog_with(BOB, model=saying("One.", "Two."))

    assert isinstance(failure.value.dialog, Dialog)
    assert [turn.text for turn in failure.value.dialog] == ["One.", "Two."]


async def test_a_persistent_orchestrator_that_inherits_how_it_is_made_persists() -> None:
    """sdialog's is persistent only where its class has an `__init__` of its own."""

    class Once(BasePersistentOrchestrator):
        def instruct(self, dialog: Dialog, utterance: str) -> str | None:
            return "Rhyme." if utterance == "Hi" else None

    assert await told(Once()) == [["Rhyme."], ["Rhyme."], ["Rhyme."]]


async def test_a_persistent_reflex_is_told_once() -> None:
    """sdialog's adds a copy with each turn."""
    assert await told(SimpleReflexOrchestrator("", "Rhyme.", persistent=True)) == [["Rhyme."]] * 3


async def told(orchestrator: BasePersistentOrchestrator | SimpleReflexOrchestrator) -> list[list[str]]:
    """The instructions that a model is shown in three turns."""
    shown: list[list[str]] = []

    def answer(request: CompletionRequest) -> str:
        shown.append([message.text for message in request.messages[1:] if message.role == "system"])
        return "Yes."

    async with (Agent(name="Ada") | orchestrator).conversation(model=ScriptedBackend(answer)) as chat:
        for word in ("Hi", "And?", "So?"):
            await chat(word)
    return shown


async def test_the_choice_of_first_words_leaves_the_programs_own_random_numbers_alone() -> None:
    """sdialog seeds the random numbers of the whole process."""
    agent = Agent(name="Ada", first_utterance=["One.", "Two.", "Three."])
    random.seed(5)
    expected = random.random()

    random.seed(5)
    words = {await agent(seed=seed, model=saying()) for seed in range(20)}

    assert random.random() == expected
    assert words == {"One.", "Two.", "Three."}
    assert await agent(seed=3, model=saying()) == await agent(seed=3, model=saying())


def test_nothing_that_is_made_starts_a_process_or_writes_a_file() -> None:
    """sdialog asks git for each dialog and persona, looks for Ollama, and makes a folder in the user's home."""
    code = """
import sys
done = []
def audit(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event in ("subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system", "os.mkdir"):
        done.append((event, arguments))
sys.dont_write_bytecode = True
sys.addaudithook(audit)
from playact.actors import Agent, Doctor
from playact.actors.generators import PersonaGenerator
from playact.backends.scripted import ScriptedBackend
from playact.engine import Dialog, Metadata, run
Dialog(), Metadata.stamped(), Doctor(name="Ann").clone()
run(PersonaGenerator(Doctor, {"age": "{20-30}"}).generate(3))
run(Agent(Doctor(name="Ann")).dialog_with(Agent(), max_turns=4, model=ScriptedBackend(["Hm."] * 4)))
print(done)
"""

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (told.stdout.strip(), told.stderr) == ("[]", "")
