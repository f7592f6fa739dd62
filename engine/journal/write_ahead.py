"""What SQLite does not say: whether transactions stand in a write-ahead log that it can no longer read.

At the first frame whose checksum is wrong SQLite takes the log for over, without a word. Frames after it that end a
transaction were committed once, and are lost. The format is that of https://sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["WriteAheadLog", "lost_transactions"]

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">4I")  # page, size of the database after a commit, two salts; two checksums follow
_FRAME_HEADER_BYTES = 24


@dataclass(frozen=True, slots=True)
class WriteAheadLog:
    """Where in the log, by number of frame from 1, transactions end, as far as the frames' heads tell."""

    commits: tuple[int, ...] = ()
    is_headless: bool = False

    def message(self, readable_frames: int) -> str | None:
        """What is lost when SQLite can read so many frames; None when nothing is."""
        if self.is_headless and not readable_frames:
            return "its write-ahead log cannot be read; what was written last is lost"
        lost = sum(commit > readable_frames for commit in self.commits)
        if not lost:
            return None
        return f"its write-ahead log is damaged; what was written last is lost, {lost} transactions at least"


def lost_transactions(journal: Path) -> WriteAheadLog:
    """Looks at the log beside a journal before SQLite does, which may begin it anew."""
    path = journal.with_name(journal.name + "-wal")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                return WriteAheadLog(is_headless=size > 0)
            magic, _, page_bytes, _, *salts, _, _ = _HEADER.unpack(head)
            if magic & ~1 != 0x377F0682 or not 512 <= page_bytes <= 65536:
                return WriteAheadLog(is_headless=True)
            commits = []
            frame_bytes = _FRAME_HEADER_BYTES + page_bytes
            for frame in range(1, (size - _HEADER.size) // frame_bytes + 1):
                file.seek(_HEADER.size + (frame - 1) * frame_bytes)
                _, database_pages, *frame_salts = _FRAME.unpack(file.read(_FRAME.size))
                if frame_salts == salts and database_pages:
                    commits.append(frame)
    except (OSError, struct.error):
        return WriteAheadLog()
    return WriteAheadLog(tuple(commits))
