"""What environment variables and settings files say, read by pydantic-settings and checked one source at a time."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from .errors import FileInvalid, SettingInvalid
from .settings import Layer, Settings, checked

__all__ = ["environment", "file"]

# They decide what is said, and nothing else.
_HARMLESS = ("model", "temperature", "top_p", "max_tokens", "stop", "frequency_penalty", "presence_penalty")


class _Sources(Settings, BaseSettings):
    """The settings, as pydantic-settings wants to have them."""

    model_config = SettingsConfigDict(env_ignore_empty=True)


def environment(prefix: str) -> list[Layer]:
    """A layer for each variable, since each is a source of its own. Raises `SettingInvalid`."""
    _refuse_misspelt(prefix)
    found = []
    try:
        said = EnvSettingsSource(_Sources, env_prefix=prefix)()
    except SettingsError as error:
        key = next((key for key in Settings.model_fields if f'"{key}"' in str(error)), "")
        example = """'["###"]'""" if key == "stop" else """'{"top_k": 40}'"""
        raise SettingInvalid(prefix + key.upper(), "", f"must be JSON, as in {example}") from None
    for key, value in said.items():
        variable = prefix + key.upper()
        try:
            found.append(Layer(variable, checked(variable, {key: value})))
        except SettingInvalid as error:
            raise SettingInvalid(variable, "", error.reason) from None
    return found


def file(path: Path, *, is_own: bool) -> Layer:
    """The layer of a file. One of the current folder, which may be anybody's, chooses a model and how it samples only.

    Raises `FileInvalid` for one that cannot be read, `SettingInvalid` for what is no setting.
    """
    if not path.is_file() and path != Path(os.devnull):  # a pipe would keep everybody waiting
        raise FileInvalid(str(path), None, "is no settings file; PLAYACT_SETTINGS names it")
    try:
        said = TomlConfigSettingsSource(_Sources, path).toml_data
    except OSError as error:
        raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(str(path), None, "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise FileInvalid(str(path), None, f"is not TOML: {error}") from error
    except RecursionError:
        raise FileInvalid(str(path), None, "is nested deeper than any settings are") from None
    if is_own:
        for key in [key for key in said if key in Settings.model_fields and key not in _HARMLESS]:
            reason = "may not be set from the current folder, which may be anybody's; set it in your own settings file"
            raise SettingInvalid(_place(path, key), key, reason)
    try:
        return Layer(str(path), _checked(str(path), said))
    except SettingInvalid as error:
        raise SettingInvalid(_place(path, error.key), error.key, error.reason) from None


def _checked(origin: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A file says numbers as numbers, so what it says is taken at its word."""
    return checked(origin, json.dumps(said, default=str))


def _place(path: Path, key: str) -> str:
    """The file, and the line where there is one that begins with the key."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}\b""")
    line = next((number for number, line in enumerate(lines, 1) if pattern.match(line)), None)
    return str(path) if line is None else f"{path}:{line}"


def _refuse_misspelt(prefix: str) -> None:
    """Other variables begin like ours too; one that is nearly a setting is meant as one. Raises `SettingInvalid`."""
    known = [key.upper() for key in Settings.model_fields]
    for name in os.environ:
        key = name.upper().removeprefix(prefix)
        if key != name.upper() and key not in known and (close := get_close_matches(key, known, 1, cutoff=0.8)):
            raise SettingInvalid(name, "", f"is no setting; did you mean {prefix}{close[0]}?")
