"""A dialog is cut, reworded, renamed and filtered; where sdialog goes wrong at it, a test says so."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine import Context, Dialog, Ending, Event, Metadata, Turn, Usage

names = st.sampled_from(["Ann", "ann", "Bob", None])
turns = st.lists(st.builds(Turn, speaker=names, text=st.text(max_size=12)), max_size=8)


def event(agent: str, action: str, content: str = "") -> Event:
    return Event(agent=agent, action=action, content=content, timestamp=1)


def library() -> Dialog:
    return Dialog(
        id="d1",
        complete=True,
        personas={"Tom": {"name": "Tom"}, "Mia": {"name": "Mia"}},
        turns=[
            Turn(speaker="Tom", text=" Is this due? "),
            Turn(speaker="Mia", text="By six."),
            Turn(speaker="Tom", text="oh."),
        ],
        events=[
            event("Tom", "utter", " Is this due? "),
            event("Mia", "think", "the 18:00 one"),
            event("Mia", "utter", "By six."),
            event("Tom", "instruct", "be short"),
            event("Tom", "utter", "oh."),
            event("Mia", "think", "nothing to say"),
        ],
        ending=Ending(reason="finished"),
        usage=Usage(9, 9),
    )


def told(dialog: Dialog) -> list[str]:
    return [f"{row.agent} {row.action}" for row in dialog.events or ()]


def test_a_slice_keeps_only_the_events_of_its_turns() -> None:
    """sdialog copies all events whole."""
    dialog = library()

    assert told(dialog[1:2]) == ["Mia think", "Mia utter"]
    assert told(dialog[:1]) == ["Tom utter"]
    assert told(dialog[2:]) == ["Tom instruct", "Tom utter", "Mia think"]
    assert told(dialog[::-2]) == ["Tom instruct", "Tom utter", "Mia think", "Tom utter"]
    assert told(dialog[3:]) == []


def test_a_slice_does_not_claim_an_end_or_a_price_that_is_not_its_own() -> None:
    dialog = library()

    assert (dialog[:2].ending, dialog[:2].complete, dialog[:2].usage) == (None, None, None)
    assert (dialog[1:].ending, dialog[1:].complete, dialog[1:].usage) == (dialog.ending, True, None)
    assert dialog[:].usage == dialog.usage


def test_a_slice_shares_nothing_with_its_dialog() -> None:
    dialog = library()
    dialog[1:].upper()[0].speaker = "X"

    assert dialog == library()


def test_the_events_of_collapsed_turns_stay_together() -> None:
    dialog = Dialog(turns=[Turn(speaker=who, text=who) for who in "AABA"])
    dialog.events = [event(who, "utter", who) for who in "AABA"]

    assert told(dialog.collapse()[:1]) == ["A utter", "A utter"]
    assert told(dialog[1:]) == ["B utter", "A utter"]


def test_a_slice_of_a_dialog_whose_events_tell_of_no_words_has_none() -> None:
    dialog = Dialog(turns=[Turn(text="a"), Turn(text="b")], events=[event("A", "think", "a")])

    assert (dialog[1:].events, dialog[:1][0].text) == ([], "a")


def test_events_that_tell_of_other_turns_are_matched_by_what_was_said() -> None:
    dialog = library()
    del dialog.turns[1]

    assert told(dialog[1:]) == ["Mia think", "Mia utter", "Tom instruct", "Tom utter", "Mia think"]


@given(turns)
def test_pieces_of_a_dialog_make_the_whole(said: list[Turn]) -> None:
    events = [Event(agent=turn.speaker, action="utter", content=turn.text, timestamp=0) for turn in said]
    dialog = Dialog(turns=said, events=events)
    for cut in range(len(said) + 1):
        first, second = dialog[:cut], dialog[cut:]

        assert [*first, *second] == said
        assert [*(first.events or ()), *(second.events or ())] == events


@pytest.mark.parametrize(
    ("method", "arguments", "texts"),
    [
        ("lower", (), [" is this due? ", "by six.", "oh."]),
        ("upper", (), [" IS THIS DUE? ", "BY SIX.", "OH."]),
        ("title", (), [" Is This Due? ", "By Six.", "Oh."]),
        ("capitalize", (), [" is this due? ", "By six.", "Oh."]),
        ("strip", (), ["Is this due?", "By six.", "oh."]),
        ("strip", (" .",), ["Is this due?", "By six", "oh"]),
        ("replace", ("i", "!", 1), [" Is th!s due? ", "By s!x.", "oh."]),
        ("re_sub", (r"[a-z]+", "x", 1), [" Ix this due? ", "Bx six.", "x."]),
        ("re_sub", (re.compile("S", re.I), lambda match: match[0] * 2), [" Iss thiss due? ", "By ssix.", "oh."]),
    ],
)
def test_texts_are_reworded_in_place_or_in_a_clone(
    method: str, arguments: tuple[object, ...], texts: list[str]
) -> None:
    dialog = library()
    other = getattr(dialog, method)(*arguments, in_place=False)
    same = getattr(dialog, method)(*arguments)

    assert same is dialog
    assert [turn.text for turn in dialog] == [turn.text for turn in other] == texts
    assert (other.parentId, other.events) == ("d1", library().events)


def test_flags_of_a_pattern_are_heeded() -> None:
    assert library().re_sub("IS", "x", flags=re.IGNORECASE)[0].text == " x thx due? "


def test_a_turn_without_a_speaker_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """sdialog raises in filter and print."""
    dialog = Dialog(turns=[Turn(text="A noise."), Turn(speaker="Ann", text="What was that?")])
    dialog.events = [Event(action="utter", content="A noise.", timestamp=1)]
    dialog.print(all=True)
    own = dialog.filter("ANN")

    assert [turn.text for turn in own] == ["What was that?"]
    assert own.events == []
    assert dialog.rename_speaker("ann", "Zoe").get_speakers() == ["Zoe"]
    assert dialog.description("<{speaker}> {text}") == "A noise.\n<Zoe> What was that?"
    assert "A noise." in capsys.readouterr().out


def test_its_setting_is_printed_in_a_line_for_each_without_where_that_comes_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dialog = Dialog(id=1, scenario={"call_type": "refund", "steps": [1, {"a": 2}]})
    dialog.context = Context(location="a\nshop", goals=["one", "two"]).with_metadata(Metadata(id="secret"))
    dialog.personas = {"Ann": {"name": "Ann", "years_of_experience": 3, "_metadata": {"id": "secret"}}, "Bob": {}}

    dialog.print(True)

    assert capsys.readouterr().out.splitlines() == [
        "--- dialog 1 ---",
        "context: location: a shop; goals: one, two",
        'scenario: call type: refund; steps: [1, {"a": 2}]',
        "persona Ann: name: Ann; years of experience: 3",
        "--- 0 turns ---",
    ]


def test_speakers_come_in_the_order_of_speaking() -> None:
    """sdialog gives them in the order of a set, another one in each process."""
    dialog = Dialog(turns=[Turn(speaker=who, text="") for who in ["Zoe", "Ann", "zoe", "Bob", "Ann"]])

    assert dialog.get_speakers() == ["Zoe", "Ann", "zoe", "Bob"]
    assert dialog.get_speakers(keep_case=False) == ["zoe", "ann", "bob"]


def test_a_filter_keeps_turns_and_events_of_one_speaker_with_lineage() -> None:
    own = library().filter("mia")

    assert ([turn.text for turn in own], told(own)) == (["By six."], ["Mia think", "Mia utter", "Mia think"])
    assert (own.parentId, own.id != "d1") == ("d1", True)


def test_a_filter_for_nobody_says_who_there_is() -> None:
    """sdialog logs, and gives an empty dialog."""
    with pytest.raises(ValueError, match="nobody is called 'Max' in the dialog d1; there speaks Tom, Mia"):
        library().filter("Max")


def test_a_speaker_is_renamed_wherever_the_name_stands() -> None:
    dialog = library().rename_speaker("TOM", "Max")

    assert dialog.get_speakers() == ["Max", "Mia"]
    assert list(dialog.personas or ()) == ["Max", "Mia"]
    assert {row.agent for row in dialog.events or ()} == {"Max", "Mia"}


def test_a_rename_heeds_case_and_leaves_events_when_told_to() -> None:
    dialog = library().rename_speaker("TOM", "Max", case_sensitive=True)
    assert dialog == library()

    dialog.rename_speaker("Tom", "Max", case_sensitive=True, in_events=False)
    assert (dialog[0].speaker, {row.agent for row in dialog.events or ()}) == ("Max", {"Tom", "Mia"})


def test_a_clone_is_independent_and_may_have_the_id_zero() -> None:
    dialog = library()
    clone = dialog.clone(new_id=0)
    clone.turns[0].text = "changed"

    assert (clone.id, clone.parentId) == (0, "d1")
    assert dialog == library()


def test_turns_are_appended_and_those_of_one_speaker_collapsed() -> None:
    dialog = library().append(Turn(speaker="Tom", text="Bye."), event("Tom", "utter", "Bye."))

    assert dialog.collapse(" / ")[2].text == "oh. / Bye."
    assert len(dialog) == 3


def test_a_length_is_in_words_turns_or_minutes_and_in_nothing_else() -> None:
    dialog = Dialog(turns=[Turn(speaker="A", text="a b c d"), Turn(speaker="B", text="e f g")])

    assert [dialog.length(), dialog.length("turns"), dialog.length("minutes"), dialog.length("time")] == [7, 2, 1, 1]
    assert dialog.length("minutes", words_per_minute=2) == 4
    with pytest.raises(ValueError, match="not 'years'"):
        dialog.length("years")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="nobody says 0 words a minute"):
        dialog.length("minutes", words_per_minute=0)


def test_what_is_said_cannot_fill_in_a_template() -> None:
    dialog = Dialog(turns=[Turn(speaker="{text}", text="{speaker}")])

    assert dialog.description("{speaker} - {text}") == "{text} - {speaker}"


def test_a_description_has_a_line_for_each_turn_whatever_is_said() -> None:
    dialog = Dialog(turns=[Turn(speaker="Ann", text="one\ntwo\r\nthree"), Turn(speaker="", text="nobody's")])

    assert dialog.description() == str(dialog) == "Ann: one two three\nnobody's"
    assert dialog.description("<{speaker}> {text}") == "<Ann> one two three\n<> nobody's"


def test_a_pattern_that_is_compiled_keeps_its_own_flags() -> None:
    dialog = Dialog(turns=[Turn(speaker="Ann", text="Well, well")])

    assert dialog.re_sub(re.compile("well"), "so", flags=re.IGNORECASE)[0].text == "Well, so"


def test_a_length_may_be_asked_for_in_any_case_and_names_are_sdialogs() -> None:
    dialog = Dialog.from_str(dialog_text="Ann: one two")

    assert dialog.length("WORDS") == 2  # type: ignore[arg-type]  # sdialog takes it so
    assert Dialog.from_json(json_str=dialog.json(string=True)) == dialog == Dialog.from_dict(data=dialog.to_dict())
