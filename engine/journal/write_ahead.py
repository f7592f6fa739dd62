"""What SQLite does not say: whether transactions stand in a write-ahead log that it can no longer read.

At the first frame whose checksum is wrong SQLite takes the log for over, without a word. Frames behind it that end a
transaction were committed once, and are lost. The format is that of https://sqlite.org/fileformat2.html#walformat.

No damage are frames of an earlier use of the file, nor a transaction without a whole last frame: it was never
committed, as when the process was killed meanwhile or the disk was full.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Loss", "loss_in", "write_ahead_log_of"]

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two checksums of what is before
_FRAME = struct.Struct(">6I")  # page, pages of the database if it ends a transaction else 0, two salts, two checksums
_MAGIC = 0x377F0682  # with its last bit set, checksums are over big-endian numbers
_WORD = 0xFFFFFFFF

_Sums = tuple[int, int]


def write_ahead_log_of(journal: Path) -> Path:
    return journal.with_name(journal.name + "-wal")


@dataclass(frozen=True, slots=True)
class Loss:
    """What was lost, in words.

    is_last_only: nothing but the last frame of the last transaction is not whole. Perhaps it was being written: SQLite
    writes the head of a frame first, over an earlier frame where the log has begun anew. The log alone cannot tell.
    """

    words: str
    is_last_only: bool = False


def loss_in(journal: Path) -> Loss | None:
    """What was lost of the log beside a journal; None when nothing was, as far as it tells.

    To be asked before SQLite opens the journal, which may begin the log anew. Somebody may be writing: what is found
    counts only if it is there at a second look too. A frame before one that ends a transaction was written before it,
    so the second look finds it whole, if it ever was. About 40 ms for each MB of log.
    """
    path = write_ahead_log_of(journal)
    try:
        found = _look(path)
        if not found.is_lossy or _look(path) != found:
            return None
    except (OSError, struct.error):
        return None
    if found.is_headless:
        return Loss("its write-ahead log cannot be read; what was written last may be lost")
    words = f"its write-ahead log is damaged; what was written last is lost, {found.lost} transactions at least"
    return Loss(words, is_last_only=found.lost == 1 and _ends_transaction(found.bad))


@dataclass(frozen=True, slots=True)
class _Look:
    """header, bad: the bytes that the log begins with, and the first frame that is not whole.

    lost: how many frames from there on end a transaction.
    """

    header: bytes = b""
    is_headless: bool = False
    bad: bytes = b""
    lost: int = 0

    @property
    def is_lossy(self) -> bool:
        return self.is_headless or self.lost > 0


def _look(path: Path) -> _Look:
    with path.open("rb", buffering=1 << 20) as file:
        header = file.read(_HEADER.size)
        if not header:
            return _Look()
        if len(header) < _HEADER.size:
            return _Look(header, is_headless=True)
        magic, _, page_bytes, _, *salts, sum_0, sum_1 = _HEADER.unpack(header)
        order = ">" if magic & 1 else "<"
        sums = _added(order, header[:24], (0, 0))
        if magic & ~1 != _MAGIC or not _is_page_size(page_bytes) or sums != (sum_0, sum_1):
            return _Look(header, is_headless=True)
        bad, lost = b"", 0
        for frame in _frames(file, _FRAME.size + page_bytes):
            page, database_pages, *own_salts, sum_0, sum_1 = _FRAME.unpack_from(frame)
            if not bad:
                sums = _added(order, frame[_FRAME.size :], _added(order, frame[:8], sums))
                if page and own_salts == salts and sums == (sum_0, sum_1):
                    continue
                bad = frame
            # Of an earlier use neither salt is the same; if one is, the other is what was damaged.
            lost += database_pages > 0 and any(own == salt for own, salt in zip(own_salts, salts, strict=True))
        return _Look(header, bad=bad, lost=lost)


def _ends_transaction(frame: bytes) -> bool:
    _, database_pages, *_ = _FRAME.unpack_from(frame)
    return bool(database_pages)


def _frames(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The frames; the last one, if the file ends in it, has never been whole."""
    while len(frame := file.read(size)) == size:
        yield frame


def _added(order: str, content: bytes, sums: _Sums) -> _Sums:
    """SQLite's checksum, taken further over content whose length is a multiple of 8."""
    sum_0, sum_1 = sums
    words = iter(struct.unpack(f"{order}{len(content) // 4}I", content))
    for word_0, word_1 in zip(words, words, strict=True):
        sum_0 = (sum_0 + word_0 + sum_1) & _WORD
        sum_1 = (sum_1 + word_1 + sum_0) & _WORD
    return sum_0, sum_1


def _is_page_size(number: int) -> bool:
    return 512 <= number <= 65536 and number & (number - 1) == 0
