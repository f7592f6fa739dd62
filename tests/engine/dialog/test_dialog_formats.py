"""Files of dialogs in every format and from elsewhere; where sdialog loses something, a test says so."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact import engine
from playact.engine import Context, Dialog, Ending, Event, Instruction, Turn
from playact.engine.errors import FileInvalid

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
WRITTEN = Path(__file__).parents[2] / "data" / "sdialog"
ids = st.none() | st.integers() | texts
strings = st.none() | texts
unknown = st.dictionaries(st.sampled_from(["audio_path", "snr", "x-y", "Ä"]), plain, max_size=2)
fields = st.dictionaries(texts, plain, max_size=3)


def extended(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.fixed_dictionaries(keys), unknown).map(
        lambda both: {**{k: both[0][k] for k in keys}, **both[1]}
    )


content = texts | fields | st.lists(plain, max_size=2)
turns = extended({"speaker": strings, "text": texts})
events = extended(
    {"agent": strings, "action": texts, "actionLabel": strings, "content": content, "timestamp": st.integers()}
)
contexts = st.dictionaries(
    st.sampled_from(["location", "goals", "_metadata", "weather"]), texts | fields | st.none() | st.just(""), max_size=3
)
files = extended(
    {
        "version": strings,
        "timestamp": strings,
        "model": st.none() | texts | fields,
        "seed": st.none() | st.integers(),
        "id": ids,
        "parentId": ids,
        "complete": st.none() | st.booleans(),
        "personas": st.none() | st.dictionaries(texts, fields, max_size=2),
        "context": st.none() | texts | fields | contexts,
        "scenario": st.none() | texts | fields,
        "turns": st.lists(turns, max_size=3),
        "events": st.none() | st.lists(events, max_size=3),
        "annotations": plain,
        "notes": plain,
    }
)


@given(files)
def test_any_file_of_sdialog_comes_back_to_the_byte(content: dict[str, Any]) -> None:
    """sdialog drops the keys that it does not know."""
    text = json.dumps(content, indent=2, ensure_ascii=False)

    assert Dialog.from_json(text).json(string=True) == text


@pytest.mark.parametrize("file", sorted(WRITTEN.iterdir()), ids=lambda file: file.name)
def test_what_sdialog_wrote_in_any_format_comes_back_to_the_byte(file: Path, tmp_path: Path) -> None:
    """These were written by sdialog 0.5.3: events of every kind, metadata, tables, texts, audio's keys."""
    Dialog.from_file(file).to_file(tmp_path / file.name)

    assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_a_dialog_says_by_which_version_and_when_it_was_made_and_a_file_only_what_is_in_it() -> None:
    """sdialog gives a file of which nothing is known its own version, and the time of reading."""
    dialog = Dialog()

    assert dialog.version == version("playact")
    assert datetime.datetime.fromisoformat(str(dialog.timestamp)) <= datetime.datetime.now(datetime.UTC)
    for read in (Dialog.from_json('{"turns": []}'), Dialog.from_dict({"turns": []})):
        assert (read.version, read.timestamp) == (None, None)


def test_a_file_without_the_newer_keys_is_read() -> None:
    dialog = Dialog.from_json('{"turns": [{"speaker": "A", "text": "b"}], "personas": null}')

    assert (dialog.annotations, dialog[0].text) == (None, "b")


def test_a_value_that_no_json_can_say_spoils_nothing_around_it() -> None:
    """In sdialog it turns the whole field into a string."""
    dialog = Dialog(notes={"when": [datetime.date(2026, 11, 24), object], "ok": {"n": 1}})

    notes = dialog.to_dict()["notes"]
    assert notes == {"when": ["2026-11-24", "<class 'object'>"], "ok": {"n": 1}}


def test_files_are_utf8_whatever_the_platform_says(tmp_path: Path) -> None:
    """sdialog writes UTF-8 and reads what the platform prefers."""
    file = tmp_path / "d.json"
    Dialog(id=1, turns=[Turn(speaker="Zoë", text="café 日本")]).to_file(file)
    code = f"from playact.engine import Dialog; print(ascii(Dialog.from_file({str(file)!r})[0].text))"
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert (told.stdout.strip(), told.stderr) == (ascii("café 日本"), "")


def test_what_is_not_ascii_may_be_escaped(tmp_path: Path) -> None:
    dialog = Dialog(turns=[Turn(text="café")])
    dialog.to_file(tmp_path / "d.json", ensure_ascii=True)

    assert "caf\\u00e9" in (tmp_path / "d.json").read_text("ascii")
    assert Dialog.from_file(tmp_path / "d.json") == dialog


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "txt"])
def test_a_lone_surrogate_that_a_model_said_does_not_keep_a_dialog_from_its_file(tmp_path: Path, kind: str) -> None:
    Dialog(turns=[Turn(speaker="A", text="x\ud800y")]).to_file(tmp_path / f"d.{kind}")

    assert Dialog.from_file(tmp_path / f"d.{kind}")[0].text == "x?y"


def test_half_a_character_that_was_escaped_is_read_again(tmp_path: Path) -> None:
    dialog = Dialog(turns=[Turn(speaker="A", text="x\ud800y")], notes={"\udfff": "\\ud800"})
    dialog.to_file(tmp_path / "d.json", ensure_ascii=True)

    assert Dialog.from_file(tmp_path / "d.json") == dialog
    with pytest.raises(FileInvalid, match=r"d\.json: Invalid JSON"):
        (tmp_path / "d.json").write_text('{"notes": "\\ud800"')
        Dialog.from_file(tmp_path / "d.json")


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "tsv", "txt"])
def test_a_mark_of_byte_order_is_no_part_of_a_dialog(tmp_path: Path, kind: str) -> None:
    """Editors on Windows put it first; in sdialog it becomes part of the first speaker's name, or no JSON at all."""
    dialog = Dialog(turns=[Turn(speaker="Ann", text="b")])
    dialog.to_file(tmp_path / f"d.{kind}")
    (tmp_path / f"d.{kind}").write_bytes(b"\xef\xbb\xbf" + (tmp_path / f"d.{kind}").read_bytes())

    assert Dialog.from_file(tmp_path / f"d.{kind}").turns == dialog.turns


def test_only_line_ends_end_a_line_of_text(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_bytes("A: a\x0cb\u2028c\x85d\r\nB: e\rA: f\n".encode())
    dialog = Dialog.from_file(tmp_path / "d.txt")
    dialog.to_file(tmp_path / "again.txt")

    assert [turn.text for turn in dialog] == ["a\x0cb\u2028c\x85d", "e", "f"]
    assert Dialog.from_file(tmp_path / "again.txt").turns == dialog.turns


def test_a_dialog_of_sdialogs_audio_comes_back_to_the_byte(tmp_path: Path) -> None:
    """sdialog reads it as a `Dialog` without anything of the audio."""
    dialog = json.loads(
        Dialog(id="d1", turns=[Turn(speaker="Tom", text="Hm?")], personas={"Tom": {}}).json(string=True)
    )
    dialog["turns"][0] |= {
        "sampling_rate": 44100, "audio_path": "0_Tom.wav", "audio_duration": 1.25, "audio_start_time": 0.0, "snr": -3.5,
        "voice": "af_heart", "position": "room-center", "microphone_position": "desk", "is_stored_in_dscaper": True,
        "gap_duration": 1e-05, "text_with_tags": "<sigh>Hm?", "sound_effects": [],
    }  # fmt: skip
    dialog |= {
        "audio_dir_path": "./audio", "total_duration": 1.25, "timeline_name": "d1", "audio_sources": [{"name": None}],
        "audio_step_1_filepath": "a.wav", "audio_step_2_filepath": "b.wav", "speakers_names": {"speaker_1": "Tom"},
        "audio_step_3_filepaths": {"room-1": {"mic": "c.wav"}}, "speakers_roles": {"Tom": "speaker_1"},
    }  # fmt: skip
    (tmp_path / "d.json").write_text(json.dumps(dialog, indent=2, ensure_ascii=False), encoding="utf-8")

    read = Dialog.from_file(tmp_path / "d.json")
    read.to_file(tmp_path / "again.json")

    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "d.json").read_bytes()
    assert read[0].model_extra is not None
    assert read[0].model_extra["snr"] == read[:1].to_dict()["turns"][0]["snr"] == -3.5


def test_a_dialog_goes_back_to_the_file_it_came_from(tmp_path: Path) -> None:
    Dialog(turns=[Turn(speaker="A", text="b")]).save(tmp_path / "deep" / "down" / "d.json")
    dialog = Dialog.open(tmp_path / "deep" / "down" / "d.json")
    dialog.upper().save()

    assert Dialog.load(tmp_path / "deep" / "down" / "d.json")[0].text == "B"
    assert "path" not in dialog.to_dict()
    with pytest.raises(ValueError, match="say where"):
        Dialog().to_file()


def test_no_folder_is_made_when_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Dialog().to_file(tmp_path / "missing" / "d.json", makedir=False)


def test_a_table_without_a_header_goes_by_numbers(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("1,hello,Ann\n2,hi,Bob\n", encoding="utf-8")

    dialog = Dialog.from_file(tmp_path / "d.csv", csv_speaker_col=2, csv_text_col=1)

    assert str(dialog) == "Ann: hello\nBob: hi"


def test_a_table_has_the_columns_that_one_says(tmp_path: Path) -> None:
    (tmp_path / "d.tsv").write_text("who\twhat\nAnn\thello\n", encoding="utf-8")

    assert str(Dialog.from_file(tmp_path / "d.tsv", csv_speaker_col="who", csv_text_col="what")) == "Ann: hello"
    with pytest.raises(ValueError, match="both be names or both numbers"):
        Dialog.from_file(tmp_path / "d.tsv", csv_speaker_col="who", csv_text_col=1)


def test_a_saved_table_is_a_header_and_a_row_for_each_turn(tmp_path: Path) -> None:
    Dialog(turns=[Turn(speaker="A", text="b, c"), Turn(text="two\r\nlines")]).to_file(tmp_path / "d.csv")

    assert (tmp_path / "d.csv").read_bytes() == b'speaker,text\r\nA,"b, c"\r\n,"two\r\nlines"\r\n'
    assert Dialog.from_file(tmp_path / "d.csv")[1].text == "two\r\nlines"


def test_the_kind_of_a_file_may_be_said_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "d.dat").write_text("speaker,text\nAnn,hello\n", encoding="utf-8")

    assert str(Dialog.from_file(tmp_path / "d.dat", type="CSV")) == "Ann: hello"  # type: ignore[arg-type]  # sdialog's


def test_a_file_in_an_old_encoding_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_bytes("Zoë: hello".encode("cp1252"))

    with pytest.raises(FileInvalid, match=r"d\.txt: is not UTF-8 text; save it as UTF-8"):
        Dialog.from_file(tmp_path / "d.txt")


def test_the_other_names_in_a_template_stand_for_anything() -> None:
    text = "\n[10:01] Ann - well - yes\n\n[10:02] Bob - {no}\n"

    dialog = Dialog.from_str(text, "[{time}] {speaker} - {text}", id=7)

    assert [(turn.speaker, turn.text) for turn in dialog] == [("Ann", "well - yes"), ("Bob", "{no}")]
    assert dialog.id == 7


def test_speakers_take_turns_where_the_template_has_none() -> None:
    dialog = Dialog.from_str("hello\nhi\nbye", "{text}", default_speakers=["A", "B"])

    assert dialog.description() == "A: hello\nB: hi\nA: bye"
    assert Dialog.from_str("hello", "{text}")[0].speaker is None


def test_a_line_in_another_form_is_named() -> None:
    with pytest.raises(FileInvalid, match="text:3: does not look like"):
        Dialog.from_str("A: b\n\nnobody\n")
    with pytest.raises(ValueError, match=r"needs \{text\} once"):
        Dialog.from_str("", "{speaker}")


def test_consecutive_turns_of_a_speaker_collapse_as_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("A: a\nA: b\nB: c\n", encoding="utf-8")

    dialog = Dialog.from_file(tmp_path / "d.txt", collapse_consecutive_speakers=True, collapse_separator=" ")

    assert [turn.text for turn in dialog] == ["a b", "c"]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    """In sdialog the JSON files come in whatever order the file system has."""
    for name in ("c", "a", "b"):
        Dialog(id=f"id-{name}", turns=[Turn(speaker="A", text=name)]).to_file(tmp_path / f"{name}.json")
    for name in ("z.csv", "y.txt"):
        Dialog(turns=[Turn(speaker="A", text=name)]).to_file(tmp_path / name)
    (tmp_path / "README.md").write_text("no dialog", encoding="utf-8")

    dialogs = Dialog.from_folder(tmp_path)

    assert [dialog.id for dialog in dialogs] == [1, 2, "id-a", "id-b", "id-c"]
    assert [dialog[0].text for dialog in dialogs] == ["y.txt", "z.csv", "a", "b", "c"]
    assert [dialog.id for dialog in Dialog.load_folder(tmp_path, type="json")] == ["id-a", "id-b", "id-c"]


def test_a_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    Dialog().to_file(tmp_path / "d.json")

    with pytest.raises(FileInvalid, match="from_folder"):
        Dialog.from_file(tmp_path)
    with pytest.raises(FileInvalid, match="from_file"):
        Dialog.from_folder(tmp_path / "d.json")


def test_a_dataset_folder_is_a_list_or_goes_by_its_splits(tmp_path: Path) -> None:
    Dialog(id="all", turns=[Turn(text="a"), Turn(text="b")]).to_file(tmp_path / "one" / "data" / "d.json")
    for split in ("train", "val"):
        Dialog(id=split).to_file(tmp_path / "two" / "data" / split / "d.json")

    whole = Dialog.from_huggingface(str(tmp_path / "one"), collapse_consecutive_speakers=True)
    parts = Dialog.from_huggingface(str(tmp_path / "two"))

    assert isinstance(whole, list)
    assert [(dialog.id, dialog[0].text) for dialog in whole] == [("all", "a\nb")]
    assert isinstance(parts, dict)
    assert {split: [dialog.id for dialog in part] for split, part in parts.items()} == {
        "train": ["train"],
        "val": ["val"],
    }


def test_a_dataset_that_was_fetched_is_read_where_it_is(tmp_path: Path) -> None:
    Dialog(id="here").to_file(tmp_path / "data" / "d.json")

    (dialog,) = Dialog.from_huggingface("someone/dialogs", local_dir=tmp_path)

    assert isinstance(dialog, Dialog)
    assert dialog.id == "here"


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="has no folder `data`"):
        Dialog.from_huggingface(str(tmp_path))


def test_json_is_read_without_a_dialog_to_read_it_with() -> None:
    """In sdialog up to 0.5.0 `from_json` needs an instance."""
    assert Dialog.from_json(Dialog(id="x").json(string=True)).id == "x"


def test_a_turn_prints_nothing_that_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    Turn(speaker="A", text="\x1b[2Jhello").print()

    assert capsys.readouterr().out == "A: hello\n"


def test_classes_keep_the_name_that_journals_know_them_by() -> None:
    """A journal names the class of a context, and is looked up by that name for ever."""
    for kept in (Context, Dialog, Ending, Event, Instruction, Turn):
        assert kept.__module__ == "playact.engine.dialog"
        assert getattr(engine.dialog, kept.__name__) is kept


def test_the_classes_can_be_extended() -> None:
    """pydantic looks names of types up in a class's own module, which is not the one that it says it is in."""

    class Scored(Dialog):
        score: float = 0.0

    class Cafe(Context):
        menu: str = ""

    dialog = Scored.from_json('{"turns": [{"text": "a"}], "usage": {"prompt_tokens": 1}, "score": 2}')

    assert (dialog.score, type(dialog[:1]), dialog[:].score) == (2.0, Scored, 2.0)
    assert Cafe(menu="tea", goals=["x"]).model_dump() == {"goals": ["x"], "menu": "tea"}
    with pytest.raises(FileInvalid, match=r"turns\.0\.text"):
        Scored.from_json('{"turns": [{"text": 1}]}')


def test_null_for_turns_is_a_dialog_without_any_as_sdialog_reads_it() -> None:
    dialog = Dialog.from_json('{"turns": null}')

    assert (len(dialog), Dialog.from_dict({"turns": None}).turns) == (0, [])


def test_numbers_that_json_does_not_have_are_read_and_written_as_null() -> None:
    dialog = Dialog.from_json('{"turns": [{"text": "Hi", "score": NaN}], "rate": -Infinity}')

    written = json.loads(dialog.json(string=True), parse_constant=pytest.fail)

    assert (written["turns"][0]["score"], written["rate"]) == (None, None)
    assert (dialog.model_extra or {})["rate"] == float("-inf")


def test_a_cell_that_is_too_long_for_a_table_is_told(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("speaker,text\nAnn," + "x" * 131_073 + "\n", encoding="utf-8")

    with pytest.raises(FileInvalid, match=r"d.csv:2: .*a cell has more than 131,072 characters; keep what is so long"):
        Dialog.from_file(file)
