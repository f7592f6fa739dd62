"""Dialogs and their files: nothing of what was said or loaded is lost, and content has one fingerprint."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine import Context, Dialog, Ending, Event, Turn, Usage, errors
from playact.engine.digest import DatasetDigest
from playact.engine.errors import FileInvalid, PlayactError

SDIALOG = Path(__file__).parents[1] / "data" / "sdialog.json"
lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
dialogs = st.builds(
    Dialog, turns=st.lists(st.builds(Turn, speaker=lines.filter(lambda name: ":" not in name), text=lines), max_size=6)
)


def three() -> Dialog:
    texts = ["Is this due?", "Yes, by six.", "Oh."]
    return Dialog(id="d1", turns=[Turn(speaker="TM"[place % 2], text=text) for place, text in enumerate(texts)])


def test_a_dialog_is_a_sequence_of_turns() -> None:
    dialog = three()

    assert (len(dialog), dialog[0].text, [turn.speaker for turn in dialog]) == (3, "Is this due?", ["T", "M", "T"])
    assert str(dialog) == "T: Is this due?\nM: Yes, by six.\nT: Oh."
    assert dialog.get_speakers() == ["T", "M"]
    assert (dialog.length(), dialog.length("turns"), dialog.length("minutes")) == (7, 3, 1)


def test_a_slice_is_a_dialog_of_its_own_with_its_lineage() -> None:
    part = three()[1:]

    assert [turn.text for turn in part] == ["Yes, by six.", "Oh."]
    assert part.parentId == "d1"
    assert part.id not in ("d1", None)
    assert len(three()) == 3


def test_a_turn_without_a_speaker_prints(capsys: pytest.CaptureFixture[str]) -> None:
    Dialog(turns=[Turn(text="Nobody said this.")]).print()

    assert "Nobody said this." in capsys.readouterr().out


def test_a_file_of_sdialog_round_trips_to_the_byte_with_its_unknown_keys(tmp_path: Path) -> None:
    dialog = Dialog.from_file(SDIALOG)
    dialog.to_file(tmp_path / "again.json")

    assert isinstance(dialog.context, Context)
    assert isinstance(dialog.events, list)
    assert isinstance(dialog.events[1], Event)
    assert (tmp_path / "again.json").read_bytes() == SDIALOG.read_bytes()


def test_our_own_keys_come_after_sdialogs_and_only_when_set() -> None:
    dialog = three()
    plain = list(dialog.to_dict())
    dialog.ending, dialog.usage = Ending(reason="finished", detail="goodbyes"), Usage(3, 2, 1)

    assert len(plain) == 14
    assert list(dialog.to_dict()) == [*plain, "ending", "usage"]
    assert Dialog.from_json(dialog.to_line()) == dialog


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "tsv", "txt"])
@given(dialog=dialogs)
def test_every_format_keeps_who_said_what(kind: str, dialog: Dialog, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("files") / f"dialog.{kind}"
    dialog.to_file(file)

    assert [(turn.speaker, turn.text) for turn in Dialog.from_file(file)] == [(t.speaker, t.text) for t in dialog]


def test_a_dialog_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "dialog.json"
    three().to_file(file)
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        Dialog().to_file(file)

    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_there_is_kept_when_asked(tmp_path: Path) -> None:
    three().to_file(tmp_path / "x.json")

    with pytest.raises(FileExistsError, match="overwrite=True"):
        three().to_file(tmp_path / "x.json", overwrite=False)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.json", "{", "Invalid JSON"),
        ("x.json", '{"turns": [{"speaker": "A"}]}', "turns.0.text: Field required"),
        ("x.csv", "who,what\nA,b\n", "x.csv:1: needs the columns speaker and text"),
        ("x.csv", "speaker,text\nA\n", "x.csv:2: has fewer columns"),
        ("x.txt", "A: hello\nno colon here\n", "x.txt:2: does not look like"),
        ("x.jsonl", "{}\n{}\n", "holds 2 dialogs"),
    ],
)
def test_a_file_that_is_no_dialog_is_refused_with_the_place(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")

    with pytest.raises(FileInvalid) as refusal:
        Dialog.from_file(tmp_path / name)
    assert reason in str(refusal.value)


@given(st.lists(dialogs, max_size=5), st.randoms())
def test_the_digest_of_a_dataset_does_not_depend_on_its_order(several: list[Dialog], order: object) -> None:
    shuffled = list(several)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random

    assert digest(several) == digest(shuffled)


def test_the_digest_of_a_dataset_counts_doubles() -> None:
    assert len({digest([three()] * count) for count in range(4)}) == 4


def test_times_token_counts_and_notes_are_no_content() -> None:
    dialog = Dialog.from_file(SDIALOG)
    before = dialog.digest()
    dialog.timestamp, dialog.notes, dialog.usage, dialog.version = "later", "x", Usage(1, 1), "9"
    for event in dialog.events or ():
        event.timestamp += 1

    assert dialog.digest() == before


@pytest.mark.parametrize(
    "change",
    [
        {"id": "d2"},
        {"seed": 8},
        {"personas": {}},
        {"context": "x"},
        {"scenario": "x"},
        {"turns": []},
        {"events": []},
        {"complete": False},
        {"model": "y"},
        {"parentId": "d0"},
        {"ending": Ending(reason="turn_limit")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_else_is(change: dict[str, object]) -> None:
    dialog = Dialog.from_file(SDIALOG)

    assert dialog.model_copy(update=change).digest() != dialog.digest()


def digest(several: list[Dialog]) -> str:
    whole = DatasetDigest()
    for dialog in several:
        whole.add(dialog)
    return whole.hexdigest()


EXAMPLES: list[PlayactError] = [
    errors.ActorStopped("d/ann"),
    errors.CircularAsk(("a", "b", "a")),
    errors.UnhandledMessage("d/ann", "Work"),
    errors.SimulationClosed(),
    errors.BackendUnavailable("openai:x", "cut"),
    errors.BackendOverloaded("openai:x", "429", 3.5),
    errors.BackendRefused("openai:x", "401"),
    errors.ReplyInvalid("openai:x", "not JSON"),
    errors.ReplyUnfit("openai:x", "the answer\nis not JSON", "Ann", 3),
    errors.ReplyEmpty("Ann", 3),
    errors.ScriptExhausted(3),
    errors.SetupError("do this"),
    errors.UnknownBackend("x:y", ("openai",)),
    errors.ExtraMissing("openai", "openai", "orjson"),
    errors.KeyMissing("openai:x", "OPENAI_API_KEY"),
    errors.WeightsMissing("Tiny"),
    errors.FileInvalid("x.yaml", 3, "is empty"),
    errors.DialogFailed("a dialog", "cut"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_pickles_with_its_fields_and_says_one_line(error: PlayactError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes

    assert type(again) is type(error)
    assert (vars(again), str(again)) == (vars(error), str(error))
    assert len(str(error).splitlines()) == 1
