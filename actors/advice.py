"""What to do about a model call that failed, in plain words."""

from __future__ import annotations

import re

from ..engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid, SetupError

__all__ = ["advice_on"]

# What services say, the first that fits; each has its own words for it.
_REFUSED = (
    (r"quota|billing|credit", "the account has nothing left to pay with: see its billing"),
    (
        r"\b40[13]\b|api.?key|unauthori[sz]ed|credential|token.{0,20}(invalid|expired)|access.?denied|permission",
        "the key is wrong, or may not use this model: check the key in the environment",
    ),
    (
        r"\b404\b|not found|does not exist|unknown model|no such model",
        "this model is not known there: check its name after the colon, and the address in the environment",
    ),
)
_UNAVAILABLE = (
    (r"cannot connect|refused|resolve|unreachable", "nothing answers there: is the server started, its address right?"),
    (r"within", "it takes calls and does not answer: it may be loading its model; see its log, or raise --timeout"),
    (r"\bHTTP 5\d\d\b", "the service has a trouble of its own: see its log, or try again later"),
    (r"cut|closed|reset", "the server ended the connection: it may have crashed, see its log"),
)


def advice_on(error: Exception) -> str:
    """One line, empty where the error says itself what to do."""
    words = str(error)
    match error:
        case SetupError():
            return ""
        case BackendOverloaded():
            return "it is there and has no room, or the account's rate is used up: wait, or ask less at once"
        case BackendRefused():
            return _first(_REFUSED, words, "it will not answer such a request: its own words say why")
        case BackendUnavailable():
            return _first(_UNAVAILABLE, words, "try again; if it stays so, see the server's log")
        case ReplyInvalid():
            return "what answers there is not such a service: check the address in the environment"
    return "that is a fault of the backend: tell who made it"


def _first(cases: tuple[tuple[str, str], ...], words: str, otherwise: str) -> str:
    return next((advice for pattern, advice in cases if re.search(pattern, words, re.IGNORECASE)), otherwise)
