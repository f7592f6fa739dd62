"""The durable log of a run: what was acknowledged is in it, whatever happens next."""

from .disk import Disk, WriterThread
from .file import JournalFile
from .journal import RUN, Diary, Journal
from .lock import JournalLock

__all__ = ["RUN", "Diary", "Disk", "Journal", "JournalFile", "JournalLock", "WriterThread"]
