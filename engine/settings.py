"""What holds where nothing is said: which model, how it samples, how it is asked. Resolved once, when a run is made.

The strongest first, key by key: arguments; the scope of `defaults` or `llm`; environment variables, PLAYACT_MODEL and
so on; a settings file; what is built in. Keys and addresses of services are no settings: no file can send a key
elsewhere.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict, Unpack

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SkipValidation, ValidationError

from .completion import Backend, Parameters
from .errors import SettingInvalid
from .pace import Pace
from .wrappers import Hedge

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Settings", "Sampling", "Values", "defaults", "llm", "Layer", "layers", "overlaid", "settings_files"]

_PREFIX = "PLAYACT_"
_OWN_FILE = "playact.toml"  # in the current folder
_HEDGE = re.compile(r"(?=.*[1-9])(p\d{1,2}(\.\d+)?|\d+(\.\d+)?)")


def _model(value: Any) -> Any:
    if (isinstance(value, str) and value) or hasattr(value, "complete"):
        return value
    raise ValueError('must be the name of a model, as in "openai:gpt-4.1"')


def _hedge(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool) and _HEDGE.fullmatch(str(value)):
        return str(value)
    if value is None:
        return None
    raise ValueError('must be a number of seconds, or a share of the calls, as in "p95"')


Model = Annotated[str | SkipValidation[Backend], BeforeValidator(_model)]
Whole = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """The settings of a run, each of the right kind.

    model: what agents without a model of their own use, "backend:model" or a Backend.
    temperature to extra: how models sample where an agent says nothing itself; see `Parameters`.
    concurrency: how many dialogs are live at once.
    in_flight, requests_per_minute, tokens_per_minute: how fast one backend is asked at the most; see `Pace`.
    timeout_s: how long a call may take, where the backend itself does not set less.
    attempts: how often a call that fails is tried, in all.
    reply_cache: a file of replies, so that what was asked before costs no second call; see `Cache`.
    hedge: when a call has a second one sent after it, see `Hedge`: in seconds, or as "p95" for the slowest twentieth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)

    model: Model = "embedded"
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Whole | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    concurrency: Whole = 256
    in_flight: Whole | None = None
    requests_per_minute: Whole | None = None
    tokens_per_minute: Whole | None = None
    timeout_s: Positive | None = None
    attempts: Whole = 6
    reply_cache: Annotated[str, Field(min_length=1)] | None = None
    hedge: Annotated[str | None, BeforeValidator(_hedge)] = None

    @classmethod
    def current(cls) -> Self:
        """Those that hold here and now. Raises `SettingInvalid` and `FileInvalid` for what is no setting."""
        values: dict[str, Any] = {}
        for layer in reversed(layers()):
            values |= layer.values
        return cls.model_validate(values)

    def but(self, **values: Unpack[Values]) -> Self:
        """The same settings, but for those of `values` that are not None. Raises `SettingInvalid`."""
        said = {name: value for name, value in values.items() if value is not None}
        return self.model_copy(update=checked("arguments", said))

    def sampling_as(self, parameters: Parameters) -> Self:
        """The same settings, but for how models sample."""
        return self.model_copy(update={name: getattr(parameters, name) for name in (*_SAMPLING, "extra")})

    @property
    def pace(self) -> Pace:
        return Pace(requests_per_minute=self.requests_per_minute, tokens_per_minute=self.tokens_per_minute)

    @property
    def second_calls(self) -> Hedge | None:
        if self.hedge is None:
            return None
        if self.hedge.startswith("p"):
            return Hedge(percentile=float(self.hedge[1:]) / 100)
        return Hedge(after_s=float(self.hedge))

    @property
    def model_parameters(self) -> Parameters:
        return Parameters(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=self.stop,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            extra=self.extra,
        )


class Sampling(TypedDict, total=False):
    """How a model samples; see `Parameters`."""

    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    stop: tuple[str, ...]
    frequency_penalty: float | None
    presence_penalty: float | None
    extra: Mapping[str, Any]


class Values(Sampling, total=False):
    """Some settings; see `Settings`."""

    model: str | Backend
    concurrency: int
    in_flight: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    timeout_s: float | None
    attempts: int
    reply_cache: str | None
    hedge: str | float | None


_scope: ContextVar[Mapping[str, Any] | None] = ContextVar("playact_settings", default=None)


@contextmanager
def defaults(**values: Unpack[Values]) -> Iterator[None]:
    """Other settings for the runs that are made within, in this task and those that it starts.

    Scopes nest; the inner one wins, key by key. Raises `SettingInvalid`.
    """
    token = _scope.set({**(_scope.get() or {}), **checked("defaults()", values)})
    try:
        yield
    finally:
        _scope.reset(token)


def llm(model: str | Backend, **parameters: Unpack[Sampling]) -> None:
    """Which model is meant from here on, and how it samples: for plain scripts, which have one.

    It holds in this task, or thread, and those that it starts; what an earlier `llm` said is forgotten. Elsewhere
    `defaults` is better, which ends. Raises `SettingInvalid`.
    """
    _scope.set(checked("llm()", {**parameters, "model": model}))


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says, checked; `origin` names the source as a person would."""

    origin: str
    values: Mapping[str, Any]


def layers() -> list[Layer]:
    """What is said here and now, the strongest first. Raises `SettingInvalid`, `FileInvalid`."""
    found = []
    if scope := _scope.get():
        found.append(Layer("the program", scope))
    files = settings_files()
    if files or any(name.upper().startswith(_PREFIX) for name in os.environ):
        # Now only: it takes a tenth of a second to import.
        from .settings_sources import environment, file

        found += environment(_PREFIX)
        found += [file(path, is_own=path == Path(_OWN_FILE)) for path in files]
    return [layer for layer in found if layer.values]


def settings_files() -> list[Path]:
    """Those that are there: the one that PLAYACT_SETTINGS names, else playact.toml here and then the user's own."""
    named = os.environ.get("PLAYACT_SETTINGS")
    if named:
        return [Path(named).expanduser().absolute()]
    return [path for path in (Path(_OWN_FILE), _users_file()) if path.is_file()]


def overlaid(own: Parameters, others: Parameters) -> Parameters:
    """`own`, and `others` field by field where it says nothing; itself when they say nothing either."""
    if others == _NOTHING:
        return own
    said = {name: value for name in _SAMPLING if (value := getattr(own, name)) not in (None, ())}
    return replace(others, **said, extra={**others.extra, **own.extra})


def checked(origin: str, values: Mapping[str, Any] | str) -> dict[str, Any]:
    """The values, or those in a JSON text, each of the right kind. Raises `SettingInvalid` for the first that is none.

    A text says which kind each is, so there "1" is no number.
    """
    try:
        if isinstance(values, str):
            settings = Settings.model_validate_json(values, strict=True)
        else:
            settings = Settings.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = str(problem["loc"][0])
        raise SettingInvalid(origin, key, _reason(key, problem)) from None  # what was given might be a secret
    return {name: getattr(settings, name) for name in settings.model_fields_set}


def _reason(key: str, problem: ErrorDetails) -> str:
    if problem["type"] != "extra_forbidden":
        message = problem["msg"].removeprefix("Value error, ")
        return message.replace("Input should be", "must be", 1)
    if any(part in key.lower() for part in ("key", "url", "secret", "password")):
        return "is no setting; keys and addresses come from the environment, such as OPENAI_API_KEY"
    close = get_close_matches(key.lower(), Settings.model_fields, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(Settings.model_fields)}"
    return f"is no setting; {hint}"


_NOTHING = Parameters()
_SAMPLING = tuple(name for name in Parameters.__dataclass_fields__ if name != "extra")


def _users_file() -> Path:
    if sys.platform == "win32":
        folder = os.environ.get("APPDATA") or os.path.expanduser("~/AppData/Roaming")
    else:
        folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(folder, "playact", "settings.toml")
