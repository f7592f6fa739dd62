"""How dialogs end: by the marker, by goodbyes, in a loop, or at the limit, and not otherwise."""

from __future__ import annotations

import pytest

from playact.actors import Agent, Persona, Scenario
from playact.actors.endings import are_goodbyes, is_loop, without_marker
from playact.backends.scripted import ScriptedBackend
from playact.engine import Dialog, Simulation, Turn

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))


def turns(*texts: str) -> list[Turn]:
    return [Turn(speaker="AB"[place % 2], text=text) for place, text in enumerate(texts)]


async def played(*replies: str, max_turns: int = 10) -> Dialog:
    async with Simulation(model=ScriptedBackend(replies)) as simulation:
        return await simulation.play(Scenario(cast=(ADA, BOB), max_turns=max_turns))


@pytest.mark.anyio
@pytest.mark.parametrize("words", ["STOPWATCH", "STOP", "The end.", "[END]", "END", "[[end]]", "(bye bye!)"])
async def test_ordinary_words_do_not_end_a_dialog(words: str) -> None:
    dialog = await played("Hello.", f"Look: {words}", "I see.", "More [[END]]")

    assert len(dialog) == 4


@pytest.mark.anyio
async def test_the_marker_ends_a_dialog_and_is_not_part_of_what_was_said() -> None:
    dialog = await played("Hello.", "That is all. Goodbye! [[END]]", "never asked for")

    assert [turn.text for turn in dialog] == ["Hello.", "That is all. Goodbye!"]
    assert dialog.complete
    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("finished", "end marker")


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_the_turn_limit_is_kept_exactly(limit: int) -> None:
    dialog = await played(*(f"This is line {number}." for number in range(20)), max_turns=limit)

    assert len(dialog) == limit
    assert dialog.complete is False
    assert dialog.ending is not None
    assert dialog.ending.reason == "turn_limit"


@pytest.mark.anyio
async def test_mutual_goodbyes_and_loops_end_a_dialog_and_say_so() -> None:
    farewells = await played("Hi.", "Here is your tea.", "Thank you, goodbye!", "Take care!", "too late")
    loop = await played("Tea?", "No.", "Tea?", "no!", "too late")

    assert farewells.ending is not None
    assert (len(farewells), farewells.ending.detail) == (4, "goodbyes")
    assert loop.ending is not None
    assert (len(loop), loop.ending.detail) == (4, "loop")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Goodbye!", "Bye, see you soon."),
        ("Have a nice day!", "You too, take care."),
        ("It was lovely. Farewell.", "So long, my friend."),
        ("Well, good bye then.", "Until next time!"),
        ("See ya!", "Have a very good evening."),
    ],
)
def test_two_farewells_are_the_end(one: str, other: str) -> None:
    assert are_goodbyes(turns("Hello.", one, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Goodbye!", "Wait, one more thing."),
        ("Shall I say goodbye?", "Did you say goodbye?"),
        ("By and bye we shall know.", "A bye-law says so."),
        ("I see your point.", "We have a great time here."),
        ("I would buy it.", "Have a nice cup of tea."),
        ("Lullaby for all.", "Kobe and Abby."),
    ],
)
def test_other_pairs_are_not(one: str, other: str) -> None:
    assert not are_goodbyes(turns("Hello.", one, other))


def test_one_speakers_two_farewells_are_not_mutual() -> None:
    assert not are_goodbyes([Turn(speaker="A", text="Bye!"), Turn(speaker="A", text="Goodbye!")])


def test_a_repeated_round_or_a_line_said_three_times_is_a_loop() -> None:
    assert is_loop(turns("a", "b", "A!", " b"), 2)
    assert is_loop(turns("x", "1", "x", "2", "x"), 2)
    assert not is_loop(turns("a", "b", "a", "c"), 2)
    assert not is_loop(turns("a", "b", "c", "a"), 2)
    assert not is_loop(turns("a"), 2)


def test_the_marker_is_taken_out_wherever_it_stands() -> None:
    assert without_marker("Bye. [[END]]") == ("Bye.", True)
    assert without_marker("[[END]]") == ("", True)
    assert without_marker("Bye.") == ("Bye.", False)
