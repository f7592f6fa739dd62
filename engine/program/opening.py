"""Opens the journal of a run, a new one or that of a run to be resumed, and what there is to be played by it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ..bus import Bus
from ..journal import RUN, Diary, Disk, Journal, JournalFile
from .earlier import Earlier
from .program import Program
from .resumption import Resumption

__all__ = ["opened"]


async def opened(
    path: Path, config: Mapping[str, Any], resumption: Resumption | None, bus: Bus, disk: Disk, stack: AsyncExitStack
) -> tuple[Journal, Program]:
    """Closed by the stack. Raises `JournalInvalid`, `JournalUnwritable`, `SetupError`."""
    earlier = None
    if resumption is None:
        create = partial(JournalFile.create, path, config, synchronous=disk.synchronous, rename=disk.rename)
        file = await disk.run("create", create)
        stack.callback(file.close)
    else:
        file = await disk.run("open", partial(JournalFile.open, path, synchronous=disk.synchronous))
        stack.callback(file.close)
        read = partial(Earlier, path, bus.run, retries=resumption.retries, code=resumption.code)
        earlier = await disk.run("read", read)
        stack.callback(earlier.close)
    journal = await stack.enter_async_context(Journal(file, bus, disk))
    program = Program(journal, disk, earlier)
    if resumption is not None:
        journal.keep_config({**config, "version": file.config()["version"]})
        if resumption.dialogs is not None:
            program.extend(resumption.dialogs)
    bus.scope.diary = Diary(journal, RUN)
    return journal, program
