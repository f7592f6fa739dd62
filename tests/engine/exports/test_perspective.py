"""A dialog becomes the chat of the one whose words are to be learnt, with what it was told and looked up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from playact.engine import Context, Dialog, Event, Turn
from playact.engine.completion import Message, ToolCall
from playact.engine.exports import Perspective


def row(agent: str, action: str, content: object, label: str | None = None) -> Event:
    return Event(agent=agent, action=action, actionLabel=label, content=content, timestamp=1)


def call(id: str | None, **arguments: object) -> Event:
    return row("Mia", "tool", {"name": "due", "args": arguments, "id": id}, "call")


def output(id: str | None, text: object) -> Event:
    return row("Mia", "tool", {"name": "due", "output": text, "call_id": id}, "output")


def library(looked_up: Sequence[Event] = ()) -> Dialog:
    return Dialog(
        id="d1",
        personas={"Tom": {"name": "Tom"}, "Mia": {"name": "Mia", "language": "English", "role": "librarian"}},
        context=Context(location="library", goals=["books", "quiet"]),
        turns=[
            Turn(speaker="Tom", text="Is this due?"),
            Turn(speaker="Mia", text="By six."),
            Turn(speaker="Tom", text="Bye."),
        ],
        events=[
            row("Tom", "utter", "Is this due?"),
            row("Mia", "instruct", "Be brief.", "Length"),
            row("Mia", "think", "Look it up."),
            *looked_up,
            row("Mia", "utter", "By six."),
            row("Tom", "think", "Hurry."),
            row("Tom", "utter", "Bye."),
        ],
    )


def messages(dialog: Dialog, assistant: str = "Mia", system: str = "none", **options: bool | str) -> list[Message]:
    (chat,) = Perspective(assistant=assistant, system=system, **options).chats(dialog)  # type: ignore[arg-type]
    return list(chat.messages)


HEARD, SAID = Message("user", "Is this due?"), Message("assistant", "By six.")


def test_a_chat_ends_with_what_the_assistant_said_last() -> None:
    assert messages(library()) == [HEARD, SAID]


def test_the_assistant_is_told_who_it_is_whom_it_talks_with_and_where() -> None:
    told = messages(library(), system="persona")[0]

    assert told.role == "system"
    assert told.text == (
        "You are Mia. Role: librarian.\nYou are talking with Tom. Location: library. Goals: books; quiet."
    )
    assert messages(library(), system="Be kind.")[0] == Message("system", "Be kind.")


def test_an_assistant_that_begins_is_greeted_first_unless_that_is_not_wanted() -> None:
    assert messages(library(), "tom")[:2] == [Message("user", "Hello!"), Message("assistant", "Is this due?")]
    assert messages(library(), "tom", opening="")[0] == Message("assistant", "Is this due?")


def test_an_assistant_goes_by_name_by_place_or_is_each() -> None:
    def who(assistant: str) -> list[str]:
        return [chat.assistant for chat in Perspective(assistant=assistant).chats(library())]

    assert (who("MIA"), who("#1"), who("#2"), who("#3"), who("Max")) == (["Mia"], ["Tom"], ["Mia"], [], [])
    assert who("each") == ["Tom", "Mia"]


@pytest.mark.parametrize("assistant", ["", "#", "#0", "#x", "#-1"])
def test_an_assistant_of_no_form_is_refused(assistant: str) -> None:
    with pytest.raises(ValueError, match="the assistant is a name"):
        Perspective(assistant=assistant)


def test_calls_of_tools_stand_before_the_words_they_led_to() -> None:
    looked_up = [call("a", book=3), call("b", book=4), output("b", "19:00"), output("a", {"at": 18}), call("c")]

    chat = messages(library([*looked_up, output("c", "")]))

    assert chat == [
        HEARD,
        Message("assistant", "", (ToolCall("a", "due", '{"book": 3}'), ToolCall("b", "due", '{"book": 4}'))),
        Message("tool", '{"at": 18}', tool_call_id="a"),
        Message("tool", "19:00", tool_call_id="b"),
        Message("assistant", "", (ToolCall("c", "due", "{}"),)),
        Message("tool", "", tool_call_id="c"),
        SAID,
    ]


def test_a_call_without_an_answer_and_an_answer_without_a_call_are_left_out() -> None:
    assert messages(library([call("a"), output("z", "?")])) == [HEARD, SAID]


def test_calls_without_ids_get_their_own() -> None:
    chat = messages(library([call(None, book=1), call(None, book=2), output(None, "one"), output(None, "two")]))

    assert [each.id for each in chat[1].tool_calls] == ["call_1", "call_2"]
    assert [(each.text, each.tool_call_id) for each in chat[2:4]] == [("one", "call_1"), ("two", "call_2")]


def test_thoughts_and_advice_are_there_when_wanted_and_only_the_assistants() -> None:
    assert messages(library(), thoughts=True)[-1].text == "<think>\nLook it up.\n</think>\n\nBy six."
    assert messages(library(), advice=True) == [Message("system", "Be brief."), HEARD, SAID]


def test_of_several_others_each_is_named_and_what_is_said_in_a_row_is_one_message() -> None:
    said = [
        ("Ann", "Hi."),
        ("Bob", "Hm?"),
        ("Cid", "One."),
        ("Cid", " "),
        ("Cid", "Two."),
        (None, "Rain."),
        ("Cid", "So."),
    ]
    dialog = Dialog(turns=[Turn(speaker=who, text=text) for who, text in said])

    assert messages(dialog, "Cid") == [
        Message("user", "Ann: Hi.\nBob: Hm?"),
        Message("assistant", "One.\nTwo."),
        Message("user", "Rain."),
        Message("assistant", "So."),
    ]


def test_a_dialog_without_events_personas_or_words_of_the_assistant_breaks_nothing() -> None:
    dialog = Dialog(
        turns=[Turn(speaker="A", text="a"), Turn(speaker="B", text="  ")], scenario="A talk", context="night"
    )

    assert Perspective(assistant="B").chats(dialog) == []
    assert Perspective(assistant="A").chats(dialog)[0].messages[0].text == (
        "You are A.\nYou are talking with B. The situation: night\nA talk"
    )
    assert Perspective().chats(Dialog()) == []
