"""A disk that is slow, fails at a commit, tears it or dies in it; and a folder's files as bytes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Literal, TypeVar

import anyio

from ..errors import JournalUnwritable
from ..journal.disk import Step
from .plan import Mishap
from .world import World

__all__ = ["FaultyDisk", "files_in", "put_back"]

T = TypeVar("T")
Files = dict[str, bytes]
_NOT_KEPT = ("-shm", "-lock")  # memory that is shared, and a lock that ends with its process


class FaultyDisk:
    """One session's. `commits` is about how many a whole run makes; a mishap of the disk comes at its share of them.

    has_failed: whether a piece of work was reported as failed, which has to stop the run.
    What was acknowledged stays. Of a commit that was not, all, nothing, or any beginning of it is in the file.
    """

    synchronous: Literal["FULL", "OFF"] = "OFF"

    def __init__(self, path: Path, world: World, mishap: Mishap | None, commits: int, seconds: float) -> None:
        self.commits = 0
        self.has_failed = False
        self._path = path
        self._world = world
        self._mishap = mishap
        self._fatal = 1 + int((0.0 if mishap is None else mishap.share) * commits)
        self._luck = Random(0 if mishap is None else int(mishap.luck * 2**30))
        self._seconds = seconds
        self._before_rename: Files | None = None

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        await self._pause()
        kind = None if self._mishap is None else self._mishap.kind
        if step == "create" and kind == "create":
            raise self._killed_at("create", work)
        if step == "commit":
            self.commits += 1
            if self.commits == self._fatal or (kind == "full" and self.commits > self._fatal):
                self._befall(kind, work)
        result = work()
        self._world.tell("disk", step, self.commits if step == "commit" else "")
        await self._pause()
        return result

    def rename(self, old: Path, new: Path) -> None:
        if self._mishap is not None and self._mishap.kind == "rename":
            self._world.tell("disk", "rename fails")
            self.has_failed = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._before_rename = files_in(self._path.parent)
        os.replace(old, new)

    async def _pause(self) -> None:
        """Takes its time; a dead process's work never comes back as done."""
        await anyio.sleep(self._luck.random() * self._seconds)
        if self._world.is_dead:
            raise JournalUnwritable(str(self._path), "the process is dead")

    def _befall(self, kind: str | None, work: Callable[[], object]) -> None:
        self.has_failed = kind in ("io", "full", "fsync")
        if kind in ("io", "full"):
            reason = "disk I/O error" if kind == "io" else "the disk is full"
            self._world.tell("disk", f"commit {self.commits} fails:", reason)
            raise JournalUnwritable(str(self._path), reason)
        if kind == "fsync":
            before = files_in(self._path.parent)
            work()
            self._world.survivors = torn(before, files_in(self._path.parent), self._luck)
            self._world.tell("disk", f"commit {self.commits} was written, fsync fails")
            raise JournalUnwritable(str(self._path), "disk I/O error")
        if kind == "torn":
            raise self._killed_at(f"commit {self.commits}", work)

    def _killed_at(self, what: str, work: Callable[[], object]) -> JournalUnwritable:
        before, self._before_rename = files_in(self._path.parent), None
        work()
        after = files_in(self._path.parent)
        if self._before_rename is None:
            left = torn(before, after, self._luck)
        else:  # a rename is done or not done; what it was of is torn at the most
            left = after if self._luck.random() < 0.3 else torn(before, self._before_rename, self._luck)
        self._world.kill("in the middle of", what, survivors=left)
        return JournalUnwritable(str(self._path), "the process is dead")


def files_in(folder: Path) -> Files:
    """What a kill leaves of a folder: whatever has reached the operating system."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith(_NOT_KEPT)}


def put_back(folder: Path, files: Files) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def torn(before: Files, after: Files, luck: Random) -> Files:
    """The files after a piece of work of which nothing, a beginning or all has reached the disk.

    Files are written one after another: a journal, its write-ahead log, then the note of how many commits there are.
    """
    changed = sorted((name for name, content in after.items() if before.get(name) != content), key=_is_note)
    share = luck.random()
    if share < 0.25 or not changed:
        return before
    if share < 0.5:
        return after
    cut_at = luck.randrange(len(changed))
    left = {name: content for name, content in after.items() if name not in changed[cut_at:]}
    left |= {name: before[name] for name in changed[cut_at:] if name in before}
    left[changed[cut_at]] = _cut(before.get(changed[cut_at], b""), after[changed[cut_at]], luck)
    return left


def _is_note(name: str) -> tuple[bool, str]:
    return name.endswith("-mark"), name


def _cut(before: bytes, after: bytes, luck: Random) -> bytes:
    """New up to a byte within what has changed, and old from there, or garbage."""
    common = min(len(before), len(after))
    first, last = _difference(before[:common], after[:common])
    if len(after) > len(before):
        first, last = min(first, common), len(after)
    cut = luck.randint(first, max(first, last))
    if luck.random() < 0.3:
        return after[:cut] + luck.randbytes(max(0, last - cut)) + before[last:]
    return after[:cut] + before[cut:]


def _difference(one: bytes, other: bytes) -> tuple[int, int]:
    """Where the first differing byte is, and where the last one ends; as numbers, since comparing bytes takes long."""
    big = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    little = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return len(one) - (big.bit_length() + 7) // 8, (little.bit_length() + 7) // 8
