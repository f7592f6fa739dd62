"""Which of our errors a failed call to AWS stands for: what the service said, or what went wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from botocore import exceptions as aws
from botocore.eventstream import ParserError
from botocore.parsers import ResponseParserError

from ..engine.errors import BackendError, BackendRefused, BackendUnavailable, ReplyInvalid
from .http_answer import Answer, failure_of, presentable

__all__ = ["failed_call"]

# In the middle of a stream an error comes without a status, and its name in other letters.
_STATUS: Mapping[str, int] = {
    "internalserverexception": 500,
    "modelerrorexception": 424,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
_HAD_BEGUN = frozenset((408, 424))  # to think
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired"))
_NOT_SIGNED = (
    aws.CredentialRetrievalError,
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.SSOError,
    aws.TokenRetrievalError,
)
_UNREADABLE = (ParserError, ResponseParserError, AttributeError, KeyError, TypeError, ValueError, RecursionError)


def failed_call(backend: str, error: Exception, secrets: Sequence[str] = ()) -> BackendError:
    """The error in our words, in one line and without secrets."""
    words = presentable(str(error), secrets)
    match error:
        case aws.ClientError():
            return _told(backend, error, secrets)
        case aws.EndpointConnectionError() if not isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError):
            return BackendUnavailable(backend, f"the connection was cut before the reply was complete: {words}")
        case aws.EndpointConnectionError() | aws.ConnectTimeoutError() | aws.ProxyConnectionError() | aws.SSLError():
            return BackendUnavailable(backend, words, may_have_cost=False)
        case aws.ReadTimeoutError() | TimeoutError():
            return BackendUnavailable(backend, "no reply within the time limit")
        case aws.HTTPClientError() if isinstance(error.kwargs.get("error"), aiohttp.ClientResponseError):
            return ReplyInvalid(backend, "the server does not answer in HTTP")
        case aws.HTTPClientError() | aiohttp.ClientError() | OSError():
            return BackendUnavailable(backend, f"the connection was cut before the reply was complete: {words}")
    if isinstance(error, _NOT_SIGNED):
        return BackendRefused(backend, f"no AWS credentials to sign with: {words}")
    if isinstance(error, _UNREADABLE):
        return ReplyInvalid(backend, f"the reply cannot be read: {type(error).__name__}: {words}")
    return BackendRefused(backend, words)  # the client will not send it, as with a wrong argument


def _told(backend: str, error: Any, secrets: Sequence[str]) -> BackendError:  # botocore's errors have no types
    told, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, words = str(told.get("Code", "")), str(told.get("Message", ""))
    otherwise = 500 if isinstance(error, aws.EventStreamError) else answer.get("HTTPStatusCode", 500)
    status = _STATUS.get(code.lower(), otherwise)
    reason = words if code in ("", str(status)) else f"{code}: {words}"
    if code in _EXPIRED:
        reason += "; get new credentials, as with `aws sso login`"
    body = json.dumps({"message": reason}).encode() if reason else b""
    failure = failure_of(backend, Answer(status, answer.get("HTTPHeaders", {}), body), secrets)
    return BackendUnavailable(backend, failure.reason) if status in _HAD_BEGUN else failure
