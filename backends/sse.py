"""Server-sent events out of bytes as they come, however they are cut: of each event, its data."""

from __future__ import annotations

__all__ = ["EventReader"]

_LARGEST_EVENT = 32 * 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Takes a stream's bytes and gives the data of each event that they complete; comments and names are dropped.

    Lines end with LF, CR or both, which may come apart. Bytes are not decoded here, so a letter may be cut as well.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []  # what there is of a line that has not ended
        self._data: list[bytes] = []  # of an event that has not ended
        self._size = 0
        self._may_skip_lf = False
        self._has_begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Raises `ValueError` for an event larger than any could be."""
        if self._may_skip_lf and data:
            self._may_skip_lf = False
            data = data.removeprefix(b"\n")
        events: list[bytes] = []
        self._size += len(data)
        if b"\n" not in data and b"\r" not in data:
            self._line.append(data)  # not joined yet: a long line in many pieces would be copied for each
        else:
            lines = b"".join((*self._line, data)).splitlines(keepends=True)
            self._may_skip_lf = lines[-1].endswith(b"\r")
            self._line = [] if lines[-1].endswith((b"\n", b"\r")) else [lines.pop()]
            for line in lines:
                self._take(line.rstrip(b"\r\n"), events)
        if self._size > _LARGEST_EVENT:
            raise ValueError(f"an event is larger than {_LARGEST_EVENT // 2**20} MiB")
        return events

    def rest(self) -> list[bytes]:
        """At the end of the stream: an event that nothing closes. It is whole only if what it says is."""
        events: list[bytes] = []
        for line in (b"".join(self._line), b""):
            self._take(line, events)
        self._line = []
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if not self._has_begun:
            self._has_begun = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data = []
            self._size = 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
