"""A person at the terminal is shown what was said, answers a line at a time, and keeps nothing else waiting."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import pytest

from playact.backends.human import HumanBackend
from playact.backends.terminal import Terminal
from playact.engine import CompletionRequest, Message
from playact.engine.errors import SetupError

pytestmark = pytest.mark.anyio


@dataclass
class Person:
    """Who types, and what that person sees."""

    typed: int
    keyboard: int
    screen: io.StringIO = field(default_factory=io.StringIO)

    def types(self, text: str) -> None:
        os.write(self.keyboard, text.encode())

    def leaves(self) -> None:
        os.close(self.keyboard)
        self.keyboard = -1

    def backend(self) -> HumanBackend:
        return HumanBackend(Terminal(self.typed, self.screen))


@pytest.fixture
def person() -> Iterator[Person]:
    typed, keyboard = os.pipe()
    person = Person(typed, keyboard)
    yield person
    os.close(typed)
    if person.keyboard != -1:
        person.leaves()


def asking(*said: tuple[str, str], dialog: str = "d1", scene: str = "You are Ida.") -> CompletionRequest:
    messages = [Message(role, text) for role, text in said]  # type: ignore[arg-type]  # roles, as tests write them
    return CompletionRequest(messages=(Message("system", scene), *messages), dialog=dialog)


async def test_a_person_sees_the_scene_and_what_was_said_and_answers_with_a_line(person: Person) -> None:
    person.types("Hello, Ana.\nAnd again.\n")
    model = person.backend()

    first = await model.complete(asking(("user", "Ana: Hi.\x1b[2J")))
    second = await model.complete(asking(("user", "Ana: Hi."), ("assistant", "Hello, Ana."), ("user", "Ana: Well?")))

    assert (first.text, second.text) == ("Hello, Ana.", "And again.")
    assert person.screen.getvalue() == "--- You are Ida.\nAna: Hi.\n> Ana: Well?\n> "


@pytest.mark.parametrize("typed", ["/quit\n", " /quit \n", ""])
async def test_to_quit_or_to_close_the_input_is_to_end_the_dialog(person: Person, typed: str) -> None:
    person.types(typed) if typed else person.leaves()

    reply = await person.backend().complete(asking(("user", "Ana: Hi.")))

    assert reply.text == "[[END]]"


async def test_a_last_line_without_an_end_counts_and_empty_lines_do_not(person: Person) -> None:
    person.types("\n  \nBye")
    person.leaves()
    model = person.backend()

    assert (await model.complete(asking(("user", "Ana: Hi.")))).text == "Bye"
    assert (await model.complete(asking(("user", "Ana: Hi.")))).text == "[[END]]"


async def test_who_changes_over_to_another_dialog_is_told_what_was_said_there(person: Person) -> None:
    person.types("One.\nTwo.\n")
    model = person.backend()

    await model.complete(asking(("user", "Ana: Hi.")))
    await model.complete(asking(("user", "Ben: So?"), ("assistant", "What?"), ("user", "Ben: Oh."), dialog="d2"))

    assert person.screen.getvalue().endswith("--- You are Ida.\nBen: So?\n> What?\nBen: Oh.\n> ")


async def test_waiting_can_be_given_up_and_leaves_no_thread_and_no_word_lost(person: Person) -> None:
    model = person.backend()
    before = set(threading.enumerate())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(model.complete, asking(("user", "Ana: Hi.")))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    person.types("Here I am.\n")
    reply = await model.complete(asking(("user", "Ana: Hi.")))

    assert reply.text == "Here I am."
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"AnyIO worker thread"} | {
        thread.name for thread in threading.enumerate() if thread.name.startswith(("Trio", "AnyIO"))
    }


async def test_others_go_on_while_a_person_thinks(person: Person) -> None:
    model, others = person.backend(), []

    async def thinks() -> None:
        others.append((await model.complete(asking(("user", "Ana: Hi.")))).text)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thinks)
        for number in range(3):
            await anyio.lowlevel.checkpoint()
            others.append(str(number))
        person.types("Done.\n")

    assert others == ["0", "1", "2", "Done."]


def test_there_is_one_person_only() -> None:
    assert HumanBackend.from_name("").capabilities.in_flight == 1
    with pytest.raises(SetupError, match="'ida' is nobody else"):
        HumanBackend.from_name("ida")
