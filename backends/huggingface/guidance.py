"""Keeps a reply to a JSON schema: which tokens may come next, by llguidance."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy

from ...engine.errors import BackendRefused

__all__ = ["Allowed", "Guidance", "Guide"]

Allowed = numpy.ndarray[tuple[int], numpy.dtype[numpy.uint8]]

_KEPT_SCHEMAS = 64
# Written as Python's `json.dumps` writes: small models lose themselves in white space where it is left to them.
_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Guide:
    """The grammar of one reply while it is written."""

    def __init__(self, matcher: Any) -> None:  # llguidance's LLMatcher
        self._matcher = matcher

    def allowed(self) -> Allowed:
        """A bit for each token of the vocabulary, lowest first. Raises `ValueError` when the grammar has failed."""
        allowed = self._matcher.compute_bitmask()
        self._check()
        return numpy.frombuffer(allowed, dtype=numpy.uint8)

    def take(self, token: int) -> None:
        """Raises `ValueError` when the grammar does not allow it."""
        self._matcher.consume_token(token)
        self._check()

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow."""
        return bool(self._matcher.is_stopped())

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ValueError(self._matcher.get_error())


class Guidance:
    """Makes guides for one tokenizer. The first takes about a second, the next of the same schema next to nothing."""

    def __init__(self, backend: str, tokenizer: Any, vocabulary: int, eos: list[int]) -> None:
        self._backend = backend
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._eos = eos
        self._lock = Lock()
        self._theirs: Any = None
        self._matchers: OrderedDict[str, Any] = OrderedDict()

    def guide(self, schema: Mapping[str, object]) -> Guide:
        """Call it in a worker thread. Raises `BackendRefused` when the schema cannot be kept to."""
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        try:
            written = json.dumps(schema, default=dict)
        except (TypeError, ValueError) as error:
            raise BackendRefused(self._backend, f"the schema is no JSON: {error}") from error
        with self._lock:
            if self._theirs is None:
                self._theirs = from_tokenizer(self._tokenizer, self._vocabulary, self._eos)
            matcher = self._matchers.pop(written, None)
            if matcher is None:
                matcher = LLMatcher(
                    self._theirs, LLMatcher.grammar_from_json_schema(written, defaults=_LAYOUT), log_level=0
                )
                if matcher.is_error():
                    reason = matcher.get_error().splitlines()[0]
                    raise BackendRefused(self._backend, f"the schema cannot be kept to: {reason}")
            self._matchers[written] = matcher
            while len(self._matchers) > _KEPT_SCHEMAS:
                self._matchers.popitem(last=False)
            return Guide(matcher.deep_copy())
