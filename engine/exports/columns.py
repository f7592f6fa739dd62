"""Dialogs as columns, for Parquet and `datasets`; and back, with nothing lost.

Each of a dialog's fields has a column of one type, whatever a file holds there: what has no type of its own, such as
personas, is JSON text. What a column cannot hold as it is, and keys that are unknown here, are JSON text in `extra`.
Needs pyarrow; it is imported here alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dialog import Dialog
from ..errors import ExtraMissing, FileInvalid

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Row", "as_row", "cleaned", "from_row", "read_table", "schema"]

Row = dict[str, Any]

_TEXTS = ("version", "timestamp", "id", "parentId", "model")
_JSON = ("personas", "context", "scenario", "annotations", "notes")
_TURN = ("speaker", "text")
_EVENT = ("agent", "action", "actionLabel", "content", "timestamp")
_READ_AT_ONCE = 256
_MOST = 2**63


def schema(*, has_messages: bool) -> pa.Schema:
    """Raises `ExtraMissing` without pyarrow."""
    pa = arrow()
    text, number = pa.string(), pa.int64()
    turn = pa.struct([("speaker", text), ("text", text), ("extra", text)])
    said = [("agent", text), ("action", text), ("actionLabel", text), ("content", text), ("timestamp", number)]
    event = pa.struct([*said, ("extra", text)])
    columns = [
        ("id", text),
        ("parentId", text),
        ("version", text),
        ("timestamp", text),
        ("model", text),
        ("seed", number),
        ("complete", pa.bool_()),
        *((name, text) for name in _JSON),
        ("turns", pa.list_(turn)),
        ("events", pa.list_(event)),
        ("ending", pa.struct([("reason", text), ("detail", text), ("error", text)])),
        (
            "usage",
            pa.struct([("prompt_tokens", number), ("completion_tokens", number), ("cached_tokens", number)]),
        ),
        ("extra", text),
    ]
    if has_messages:
        call = pa.struct([("id", text), ("type", text), ("function", pa.struct([("name", text), ("arguments", text)]))])
        message = pa.struct([("role", text), ("content", text), ("tool_calls", pa.list_(call)), ("tool_call_id", text)])
        columns += [("assistant", text), ("messages", pa.list_(message))]
    return pa.schema(columns)


def as_row(dialog: Dialog) -> Row:
    """What `from_row` makes the same dialog of."""
    content = dialog.to_dict()
    row: Row = {}
    extra: Row = {}
    for name in _TEXTS:
        value = content.pop(name)
        row[name] = _text(value)
        if value is not None and type(value) is not str:
            extra[name] = value
    for name in _JSON:
        row[name] = _json(content.pop(name))
    seed = content.pop("seed")
    row["seed"] = _number(seed, "seed", extra)
    row["complete"] = content.pop("complete")
    row["turns"] = [_part(turn, _TURN) for turn in content.pop("turns")]
    events = content.pop("events")
    row["events"] = None if events is None else [_part(event, _EVENT) for event in events]
    row["ending"] = content.pop("ending", None)
    row["usage"] = content.pop("usage", None)
    extra |= content
    row["extra"] = _json(extra) if extra else None
    return row


def from_row(row: Mapping[str, Any]) -> Dialog:
    """Raises ValueError when this is no row of a dialog; columns of other tools are left aside."""
    content: Row = {name: row.get(name) for name in (*_TEXTS, "seed", "complete", "ending", "usage")}
    content |= {name: None if row.get(name) is None else json.loads(row[name]) for name in _JSON}
    content["turns"] = [_whole(turn) for turn in row["turns"] or ()]
    events = row.get("events")
    content["events"] = None if events is None else [_event(event) for event in events]
    content |= json.loads(row.get("extra") or "{}")
    return Dialog.from_dict(content)


def read_table(path: Path) -> Iterator[Dialog]:
    """The dialogs of a Parquet file one by one, each once, also when it has a row for the chat of each speaker.

    Raises `FileInvalid`, `ExtraMissing`.
    """
    pa = arrow()
    from pyarrow.parquet import ParquetFile

    last: object = None
    seen: set[str] = set()
    try:
        with ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name != "messages"]
            for number, row in enumerate(
                row for batch in file.iter_batches(_READ_AT_ONCE, columns=names) for row in batch.to_pylist()
            ):
                own, assistant = (row.get("id"), row.get("turns")), row.get("assistant")
                if own != last or assistant is None or assistant in seen:
                    seen.clear()
                seen.add(str(assistant))
                last = own
                if len(seen) > 1:
                    continue
                try:
                    dialog = from_row(row)
                except (KeyError, TypeError, ValueError) as error:
                    raise FileInvalid(str(path), None, f"has in row {number} no dialog of playact: {error}") from error
                yield dialog
    except (pa.ArrowInvalid, OSError) as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error}") from error


def cleaned(value: Any) -> Any:
    """Without halves of characters, which some model may say and which have no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if isinstance(value, dict):
        return {name: cleaned(each) for name, each in value.items()}
    return value


def arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise ExtraMissing("Parquet", "data", "pyarrow") from error
    return pyarrow


def _part(content: Row, names: Sequence[str]) -> Row:
    part: Row = {name: content.pop(name) for name in names}
    extra = content
    if "content" in part:
        part["content"] = _json(part["content"]) or "null"
        part["timestamp"] = _number(part["timestamp"], "timestamp", extra)
    part["extra"] = _json(extra) if extra else None
    return part


def _whole(part: Mapping[str, Any]) -> Row:
    return {**{name: value for name, value in part.items() if name != "extra"}, **json.loads(part["extra"] or "{}")}


def _event(part: Mapping[str, Any]) -> Row:
    return {**_whole(part), "content": json.loads(part["content"])}


def _text(value: object) -> str | None:
    """For reading; what it really is stands in `extra`."""
    if isinstance(value, dict):
        return str(value.get("name", "")) or _json(value)
    return None if value is None else str(value)


def _number(value: int | None, name: str, extra: Row) -> int | None:
    if value is not None and not -_MOST <= value < _MOST:
        extra[name] = value
        return None
    return value


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
