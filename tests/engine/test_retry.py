"""Verdicts on failures, and when to ask again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable, ReplyInvalid
from playact.engine.retry import Failure, Retry, Verdict, verdict_on


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (BackendUnavailable("x", "cut"), Verdict(Failure.TRANSIENT)),
        (BackendOverloaded("x", "429", 3.0), Verdict(Failure.OVERLOADED, 3.0)),
        (BackendOverloaded("x", "429"), Verdict(Failure.OVERLOADED)),
        (BackendRefused("x", "401"), Verdict(Failure.REFUSED)),
        (ReplyInvalid("x", "not JSON"), Verdict(Failure.INVALID)),
        (ValueError("a bug"), Verdict(Failure.FAULT)),
    ],
)
def test_every_error_has_its_verdict(error: Exception, verdict: Verdict) -> None:
    assert verdict_on(error) == verdict


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.INVALID, Failure.FAULT])
def test_what_asking_again_cannot_mend_is_not_asked_again(failure: Failure) -> None:
    assert Retry().wait_s(Verdict(failure), 1, seed=0) is None


def test_the_trying_ends_after_the_last_attempt() -> None:
    retry = Retry(attempts=3)

    waits = [retry.wait_s(Verdict(Failure.TRANSIENT), failed, seed=0) is None for failed in (1, 2, 3)]

    assert waits == [False, False, True]


@given(st.integers(1, 19), st.integers())
def test_waits_double_with_jitter_up_to_the_longest(failed: int, seed: int) -> None:
    wait = Retry(attempts=20, first_s=0.5, longest_s=30.0).wait_s(Verdict(Failure.TRANSIENT), failed, seed)

    full = min(0.5 * 2 ** (failed - 1), 30.0)
    assert wait is not None
    assert full / 2 <= wait <= full


@given(st.floats(0, 300), st.integers())
def test_a_retry_after_is_the_least_wait(retry_after_s: float, seed: int) -> None:
    wait = Retry().wait_s(Verdict(Failure.OVERLOADED, retry_after_s), 1, seed)

    assert wait is not None
    assert wait >= retry_after_s


def test_a_retry_after_beyond_reason_ends_the_trying() -> None:
    assert Retry().wait_s(Verdict(Failure.OVERLOADED, 3600), 1, seed=0) is None


@given(st.integers(1, 5), st.integers())
def test_the_same_seed_gives_the_same_wait(failed: int, seed: int) -> None:
    first, second = (Retry().wait_s(Verdict(Failure.TRANSIENT), failed, seed) for _ in range(2))

    assert first == second
