"""The tables of a journal's file, and the proof that a file has exactly these.

meta      the run's configuration, and the tally of all that the log holds
scenario  the recipes, each different one once
plan      which recipe and seed each dialog has; dialog n has row n modulo their number
dialog    where in the log a dialog begins and, once it is over, ends, and for what reason
log       facts and answers in the order in which they became durable, numbered from 1 without a gap
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import JournalInvalid

__all__ = ["SCHEMA_VERSION", "check_schema", "make_schema"]

SCHEMA_VERSION = 1
_APPLICATION = 0x504C4159  # "PLAY", which tells `file` and us whose file this is
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE scenario (number INTEGER PRIMARY KEY, recipe TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE plan (place INTEGER PRIMARY KEY, scenario INTEGER NOT NULL, seed INTEGER, checksum INTEGER NOT NULL)",
    "CREATE TABLE dialog (number INTEGER PRIMARY KEY, id TEXT NOT NULL, seed INTEGER NOT NULL, parent TEXT, "
    "first INTEGER NOT NULL, last INTEGER, reason TEXT, digest TEXT, checksum INTEGER NOT NULL)",
    "CREATE TABLE log (position INTEGER PRIMARY KEY, dialog INTEGER NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL, "
    "body TEXT NOT NULL, checksum INTEGER NOT NULL)",
)


def make_schema(database: sqlite3.Connection) -> None:
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for table in _TABLES:
        database.execute(table)


def check_schema(path: Path, database: sqlite3.Connection) -> None:
    """Raises `JournalInvalid` unless the tables are exactly ours: then no view, trigger or other name can mislead.

    Raises `sqlite3.Error` and, for what Python's driver makes of damaged bytes, also TypeError and ValueError.
    """
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    found = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
    if application != _APPLICATION and found != list(_TABLES):
        raise JournalInvalid(str(path), "is no journal of playact")
    if version > SCHEMA_VERSION:
        raise JournalInvalid(
            str(path), f"was made by a newer playact (schema {version}, known {SCHEMA_VERSION}); update playact"
        )
    if version < SCHEMA_VERSION:  # here an older journal is to be brought up to date, once there is an older schema
        raise JournalInvalid(str(path), f"has the schema {version}, which no playact has ever made")
    if application != _APPLICATION or found != list(_TABLES):
        raise JournalInvalid(str(path), f"is damaged: its schema {version} is not as it was made")
