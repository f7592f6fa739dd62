"""What is exported is read back by those it is for: pyarrow, `datasets` and ourselves; it is whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from playact.engine import Dialog, Ending, Event, Turn, Usage, read_dialogs
from playact.engine.completion import ToolSpec
from playact.engine.digest import DatasetDigest
from playact.engine.errors import FileInvalid, SetupError
from playact.engine.exports import Export, ExportTally, Perspective, Source, export
from playact.engine.exports.columns import as_row, from_row

MIA = Perspective(assistant="Mia", system="none")
DUE = ToolSpec("due", "When a book is due.", {"type": "object", "properties": {"book": {"type": "integer"}}})


def library(id: int | str | None = "d1", *, failed: bool = False) -> Dialog:
    looked_up = {"name": "due", "args": {"book": 3}, "id": "c1"}, {"name": "due", "output": "18:00", "call_id": "c1"}
    return Dialog(
        id=id,
        version="0.1.0",
        timestamp="2026-11-24T10:00:00Z",
        model={"name": "openai:x", "temperature": 0.5},
        seed=7,
        personas={"Tom": {"name": "Tom"}, "Mia": {"name": "Mia", "age": 40}},
        turns=[Turn(speaker="Tom", text="Is this due, “Zoë”?"), Turn(speaker="Mia", text="By six.")],
        events=[
            Event(agent="Tom", action="utter", content="Is this due, “Zoë”?", timestamp=1),
            Event(agent="Mia", action="tool", actionLabel="call", content=looked_up[0], timestamp=2),
            Event(agent="Mia", action="tool", actionLabel="output", content=looked_up[1], timestamp=3),
            Event(agent="Mia", action="utter", content="By six.", timestamp=4),
        ],
        ending=Ending(reason="failed", error="it broke") if failed else Ending(reason="finished", detail="goodbyes"),
        usage=Usage(30, 4, 2),
    )


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def front_matter(card: Path) -> dict[str, Any]:
    front = yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])
    assert isinstance(front, dict)
    return front


def test_openai_gets_messages_with_calls_and_answers_of_tools(tmp_path: Path) -> None:
    export([library()], tmp_path / "train.jsonl", perspective=MIA, tools=[DUE])

    (example,) = lines(tmp_path / "train.jsonl")
    function = {"name": "due", "arguments": '{"book": 3}'}
    assert example["messages"] == [
        {"role": "user", "content": "Is this due, “Zoë”?"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "content": "18:00", "tool_call_id": "c1"},
        {"role": "assistant", "content": "By six."},
    ]
    assert example["tools"][0]["function"]["name"] == "due"


def test_sharegpt_takes_turns_with_tools_in_words_of_its_own(tmp_path: Path) -> None:
    export([library()], tmp_path / "train.json", format="sharegpt", perspective=Perspective(assistant="Mia"))

    (example,) = json.loads((tmp_path / "train.json").read_text(encoding="utf-8"))
    assert [said["from"] for said in example["conversations"]] == [
        "system", "human", "function_call", "observation", "gpt"
    ]  # fmt: skip
    assert json.loads(example["conversations"][2]["value"]) == {"name": "due", "arguments": {"book": 3}}
    assert example["id"] == "d1"


def test_an_array_of_json_holds_any_number_of_rows(tmp_path: Path) -> None:
    export([library(id) for id in range(3)], tmp_path / "x.json", format="sharegpt")

    assert [example["id"] for example in json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))] == [0, 1, 2]


def test_parquet_has_the_dialogs_and_the_messages(tmp_path: Path) -> None:
    from pyarrow import parquet

    export([library()], tmp_path / "x.parquet", format="parquet", perspective=Perspective(assistant="each"))

    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [(row["id"], row["assistant"]) for row in rows] == [("d1", "Tom"), ("d1", "Mia")]
    assert rows[1]["messages"][-1] == {
        "role": "assistant", "content": "By six.", "tool_calls": None, "tool_call_id": None
    }  # fmt: skip
    assert rows[0]["turns"][1] == {"speaker": "Mia", "text": "By six.", "extra": None}
    assert list(read_dialogs(tmp_path / "x.parquet")) == [library()]


def test_a_folder_of_datasets_is_loaded_by_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ours = [library(f"d{number}") for number in range(2500)]

    export(ours, tmp_path / "set", format="datasets", perspective=MIA, shard_bytes=1)

    assert sorted(path.name for path in (tmp_path / "set" / "data").iterdir()) == [
        f"train-0000{number}-of-00003.parquet" for number in range(3)
    ]
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"].num_rows == 2500
    assert loaded["train"][2499]["id"] == "d2499"
    assert loaded["train"][0]["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"book": 3}'
    assert list(read_dialogs(tmp_path / "set")) == ours


def test_a_table_and_a_transcript_have_all_turns_in_order(tmp_path: Path) -> None:
    export([library(1), library(2)], tmp_path / "x.csv", format="csv")
    export([library(1), library(2)], tmp_path / "x.txt", format="txt")

    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["dialog", "turn", "speaker", "text"], ["1", "0", "Tom", "Is this due, “Zoë”?"]]
    assert rows[4] == ["2", "1", "Mia", "By six."]
    assert (tmp_path / "x.txt").read_text(encoding="utf-8").split("\n\n")[
        1
    ] == "Tom: Is this due, “Zoë”?\nMia: By six.\n"


@pytest.mark.parametrize("format", ["openai", "sharegpt", "parquet", "datasets", "csv", "txt"])
def test_a_dialog_that_failed_is_left_out_counted_and_kept_when_asked(tmp_path: Path, format: Any) -> None:
    three = [library(1), library(2, failed=True), library(3)]

    tally = export(three, tmp_path / "a", format=format)
    kept = export(three, tmp_path / "b", format=format, keeps_failed=True)

    assert (tally.dialogs, dict(tally.left_out)) == (2, {"failed": 1})
    assert (kept.dialogs, dict(kept.left_out), kept.endings["failed"]) == (3, {}, 1)


def test_a_card_says_where_it_comes_from_and_what_is_in_it(tmp_path: Path) -> None:
    source = Source(name="run.db", settings={"seed": 5, "model": "openai:x", "budget": {"usd": "5"}}, usd=0.25)
    three = [library(1), library(2, failed=True), library(3)]

    export(three, tmp_path / "train.jsonl", perspective=MIA, source=source)

    front = front_matter(tmp_path / "train.jsonl.README.md")
    facts = front["playact"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}]
    assert front["size_categories"] == ["n<1K"]
    assert (facts["format"], facts["assistant"], facts["system"]) == ("openai", "Mia", "none")
    assert (facts["dialogs"], facts["turns"], facts["words"], facts["left_out"]) == (2, 4, 12, {"failed": 1})
    assert facts["tokens"] == {"prompt": 60, "completion": 8, "cached": 4}
    assert (facts["models"], facts["endings"]) == ({"openai:x": 2}, {"finished": 2})
    assert (facts["source"], facts["usd"], facts["run"]["seed"]) == ("run.db", 0.25, 5)
    assert facts["digest"] == digest([three[0], three[2]])
    assert facts["digest"] in (tmp_path / "train.jsonl.README.md").read_text(encoding="utf-8").split("---\n")[2]


def digest(dialogs: list[Dialog]) -> str:
    whole = DatasetDigest()
    for dialog in dialogs:
        whole.add(dialog)
    return whole.hexdigest()


def test_a_card_loads_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one export and its card renamed to README.md is a data set as the hub takes it."""
    import datasets

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    export([library(1), library(2)], tmp_path / "set" / "train.jsonl", perspective=MIA)
    (tmp_path / "set" / "train.jsonl.README.md").rename(tmp_path / "set" / "README.md")

    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))

    assert loaded["train"].num_rows == 2


@pytest.mark.parametrize("format", ["openai", "parquet", "datasets"])
def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path, format: Any) -> None:
    def breaking_off() -> Iterator[Dialog]:
        for id in range(1500):
            yield library(id)
        raise RuntimeError("out of ideas")

    with pytest.raises(RuntimeError, match="out of ideas"):
        export(breaking_off(), tmp_path / "x", format=format)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["openai", "datasets"])
def test_a_draft_of_a_killed_process_gives_way(tmp_path: Path, format: Any) -> None:
    file = Export(tmp_path / "x", format=format)
    (tmp_path / ".x.draft").mkdir()
    (tmp_path / ".x.draft" / "stale").touch()
    with file:
        assert not (tmp_path / "x").exists()
        file.write(library())

    assert not [path for path in tmp_path.rglob("*") if path.name in ("stale", ".x.draft")]


def test_what_is_there_is_kept_until_the_new_is_whole(tmp_path: Path) -> None:
    export([library(1)], tmp_path / "set", format="datasets")
    with pytest.raises(SetupError, match="is there already; choose another name or say --overwrite"):
        export([library(2)], tmp_path / "set", format="datasets")
    with Export(tmp_path / "set", format="datasets", overwrite=True) as file:
        file.write(library(2))
        assert [dialog.id for dialog in read_dialogs(tmp_path / "set")] == [1]

    assert [dialog.id for dialog in read_dialogs(tmp_path / "set")] == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.tex").touch()

    with pytest.raises(SetupError, match="holds more than a dataset of playact"):
        export([library()], tmp_path / "thesis", format="datasets", overwrite=True)
    with pytest.raises(SetupError, match="is a folder; choose another name for the file"):
        export([library()], tmp_path / "thesis", overwrite=True)
    with pytest.raises(SetupError, match="no ordinary file"):
        export([library()], os.devnull, overwrite=True)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("earlier\n")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")

    export([library()], tmp_path / "link.jsonl", overwrite=True)

    assert (tmp_path / "link.jsonl").is_symlink()
    assert len(lines(tmp_path / "real.jsonl")) == 1


@pytest.mark.parametrize(
    ("dialogs", "reason"),
    [
        ([], "there are no dialogs"),
        ([library(failed=True)] * 2, "all of 2 dialogs failed; keep them"),
        ([library()], "no dialog has words of 'Max'; there speaks Tom, Mia"),
    ],
)
def test_nothing_to_write_is_an_error_that_says_why(tmp_path: Path, dialogs: list[Dialog], reason: str) -> None:
    with pytest.raises(SetupError, match=reason):
        export(dialogs, tmp_path / "x.jsonl", perspective=Perspective(assistant="Max"))

    assert list(tmp_path.iterdir()) == []


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match="an export is one of openai, sharegpt"):
        Export("x", format="word")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="chatml needs the template of a model"):
        Export("x", format="chatml")
    with pytest.raises(ValueError, match="not to standard output"):
        Export("-", format="parquet")
    with pytest.raises(ValueError, match="csv has no assistant"):
        Export("x", format="csv", perspective=MIA)


def test_a_full_disk_is_told_in_one_line_and_nothing_is_kept(tmp_path: Path) -> None:
    file = Export(tmp_path / "x.jsonl")
    with pytest.raises(SetupError, match="No space left on device; nothing of it is kept"), file:
        full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115  # closed by the sink
        file._sink.abandon()
        file._sink._file = full  # type: ignore[attr-defined]  # where it is written to
        file.write(library())

    assert list(tmp_path.iterdir()) == []


def test_half_a_character_spoils_no_format(tmp_path: Path) -> None:
    dialog = library()
    dialog.turns[1].text = "x\ud800y"
    for format in ("openai", "parquet", "csv", "txt"):
        export([dialog], tmp_path / format, format=format)

    assert lines(tmp_path / "openai")[0]["messages"][-1]["content"] == "x?y"
    (read,) = read_dialogs(tmp_path / "parquet") if (tmp_path / "parquet").suffix else _parquet(tmp_path / "parquet")
    assert read[1].text == "x?y"


def _parquet(path: Path) -> Iterator[Dialog]:
    return read_dialogs(path.rename(path.with_suffix(".parquet")))


def test_an_export_of_many_takes_the_memory_of_few(tmp_path: Path) -> None:
    def many(count: int) -> Iterator[Dialog]:
        return (library(f"d{number}") for number in range(count))

    def peak(count: int, format: Any) -> int:
        tracemalloc.start()
        export(many(count), tmp_path / f"{format}-{count}", format=format, perspective=MIA)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    for format in ("openai", "datasets"):
        few, lots = peak(2_000, format), peak(6_000, format)
        assert lots - few < 2**20


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
ids = st.none() | st.integers() | texts
extra = st.dictionaries(st.sampled_from(["snr", "extra", "assistant", "messages"]), plain, max_size=2)
rows = st.builds(
    lambda more, own: own | more,
    extra,
    st.fixed_dictionaries(
        {
            "id": ids,
            "parentId": ids,
            "seed": st.none() | st.integers(),
            "model": st.none() | texts | st.dictionaries(texts | st.just("name"), plain, max_size=2),
            "personas": st.none() | st.dictionaries(texts, plain, max_size=2),
            "context": st.none() | texts | st.dictionaries(st.sampled_from(["location", "x"]), texts, max_size=2),
            "notes": plain,
            "turns": st.lists(
                st.builds(
                    lambda text, who, more: {"speaker": who, "text": text} | more, texts, st.none() | texts, extra
                ),
                max_size=2,
            ),
            "events": st.none()
            | st.lists(
                st.builds(
                    lambda content, time, more: {"action": "tool", "content": content, "timestamp": time} | more,
                    plain,
                    st.integers(),
                    extra,
                ),
                max_size=2,
            ),
            "usage": st.none() | st.just({"prompt_tokens": 1, "completion_tokens": 2, "cached_tokens": 0}),
        }
    ),
)


@given(rows)
def test_a_row_gives_any_dialog_back(content: dict[str, Any]) -> None:
    dialog = Dialog.from_dict(content)

    again = from_row(as_row(dialog))

    assert again.json(string=True) == dialog.json(string=True)


@given(st.lists(rows, min_size=1, max_size=3))
def test_a_parquet_file_gives_any_dialogs_back(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, Any]]
) -> None:
    dialogs = [Dialog.from_dict(content) for content in contents]
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    export(dialogs, path, format="parquet")

    assert [each.json(string=True) for each in read_dialogs(path)] == [each.json(string=True) for each in dialogs]


def test_dialogs_are_read_out_of_whatever_holds_them(tmp_path: Path) -> None:
    library("j").to_file(tmp_path / "many" / "b.json")
    Dialog(turns=[Turn(speaker="A", text="b")]).to_file(tmp_path / "many" / "a.txt")
    (tmp_path / "lines").write_text(library("l1").to_line() + "\n" + library("l2").to_line() + "\n", encoding="utf-8")

    assert [dialog.id for dialog in read_dialogs(tmp_path / "many")] == [1, "j"]
    assert [dialog.id for dialog in read_dialogs(tmp_path / "many" / "b.json")] == ["j"]
    assert [dialog.id for dialog in read_dialogs(tmp_path / "lines")] == ["l1", "l2"]
    with pytest.raises(FileInvalid, match="cannot be read: No such file"):
        list(read_dialogs(tmp_path / "nowhere"))


def test_a_parquet_file_of_others_is_refused_with_its_name(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and nothing more")
    parquet.write_table(pa.table({"text": ["a"]}), tmp_path / "other.parquet")

    with pytest.raises(FileInvalid, match=r"torn\.parquet: cannot be read"):
        list(read_dialogs(tmp_path / "torn.parquet"))
    with pytest.raises(FileInvalid, match="has in row 0 no dialog of playact"):
        list(read_dialogs(tmp_path / "other.parquet"))


def test_the_names_that_a_tally_counts_do_not_grow_without_end() -> None:
    tally = ExportTally()
    for number in range(200):
        tally.add(Dialog(model=f"model-{number}"), 1)

    assert len(tally.models) == 51
    assert tally.models["others"] == 150
