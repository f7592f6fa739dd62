"""Caps, accounts and the purse: plain decisions, and the laws that hold for any order of them."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.budget import NOTHING, Account, Amount, Budget, Caps, Price, Prices, Purse
from playact.engine.completion import CompletionRequest, Message, Parameters, Usage
from playact.engine.errors import BudgetSpent, PriceUnknown, SetupError

PRICES = Prices({"priced:a": Price(2, 10, 1, 50), "priced:endless": Price(2, 10, 2), "free": Price(0, 0, 0)})
HELLO = CompletionRequest(messages=(Message("user", "Hello!"),))
SHORT = CompletionRequest(messages=(Message("user", "Hello!"),), parameters=Parameters(max_tokens=7))


def purse(**caps: Any) -> Purse:
    return Purse(Budget(**caps), PRICES, seconds=lambda: 0.0)


@pytest.mark.parametrize("cap", [-1, float("nan"), float("inf"), "a lot", True])
def test_a_cap_is_a_number_from_0_up(cap: Any) -> None:
    for name in ("usd", "seconds"):
        with pytest.raises(ValueError, match=f"{name}: a cap is a number from 0 up, not {cap!r}"):
            Caps(**{name: cap})


@pytest.mark.parametrize("name", ["tokens", "calls"])
def test_tokens_and_calls_are_whole_numbers(name: str) -> None:
    caps: dict[str, Any] = {name: 1.5}

    with pytest.raises(ValueError, match=rf"{name}: a cap is a whole number from 0 up, not 1\.5"):
        Caps(**caps)


def test_the_caps_on_a_dialog_may_be_a_dict() -> None:
    caps: Any = {"calls": 2, "usd": "0.10"}

    assert Budget(per_dialog=caps) == Budget(per_dialog=Caps(calls=2, usd="0.10"))


@pytest.mark.parametrize(
    ("caps", "error", "message"),
    [
        ({"seconds": 2}, ValueError, "a dialog has no cap on seconds"),
        ({"call": 2}, ValueError, "per_dialog: call is no cap; caps are usd, tokens and calls"),
        ({"calls": -1}, ValueError, "calls: a cap is a whole number"),
        (5, TypeError, r"per_dialog: say Caps\(...\)"),
    ],
)
def test_what_is_no_cap_on_a_dialog_is_refused(caps: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Budget(per_dialog=caps)


def test_dollars_are_taken_exactly_from_any_way_of_writing_them() -> None:
    assert Caps(usd=0.1).picodollars == Caps(usd="0.10").picodollars == Caps(usd=Decimal("0.1")).picodollars == 10**11


def test_a_budget_comes_back_from_its_text_form() -> None:
    budget = Budget(usd="0.5", tokens=7, calls=3, seconds=1.5, per_dialog=Caps(usd=0.1, calls=2))

    again = Budget.from_dict(budget.to_dict())

    assert again.to_dict() == budget.to_dict()
    assert again.picodollars == budget.picodollars


def test_a_call_waits_while_those_under_way_might_use_up_what_is_left() -> None:
    spending = purse(calls=2)

    assert spending.may_go(Amount(1), None)
    assert spending.may_go(Amount(1), None)
    assert not spending.may_go(Amount(1), None)
    spending.settle(Amount(1), NOTHING, None)
    assert spending.may_go(Amount(1), None)


def test_a_run_ends_when_a_call_does_not_fit_even_if_those_under_way_cost_nothing() -> None:
    spending = purse(tokens=100)
    assert spending.may_go(Amount(1, 60), None)
    spending.settle(Amount(1, 60), Amount(1, 50), None)

    with pytest.raises(
        BudgetSpent, match="100 tokens does not allow another call: 50 is left, and one may take up to 51"
    ):
        spending.may_go(Amount(1, 51), None)
    with pytest.raises(BudgetSpent):
        spending.may_go(Amount(1, 1), None)  # the run has ended
    assert spending.is_spent == "100 tokens"


@pytest.mark.parametrize("name", ["calls", "tokens", "usd", "seconds"])
def test_a_cap_of_0_lets_nothing_pass(name: str) -> None:
    with pytest.raises(BudgetSpent, match=r"the budget of 0 (calls|tokens|US dollars|seconds)"):
        purse(**{name: 0}).may_go(Amount(1, 1, 1), None)


def test_a_cap_of_0_dollars_lets_free_models_pass() -> None:
    assert purse(usd=0).may_go(Amount(1, 100, 0), None)


def test_a_cap_below_one_call_says_what_it_would_take_and_what_to_do() -> None:
    with pytest.raises(BudgetSpent) as caught:
        purse(usd="0.001").may_go(Amount(1, 1, 1_234_500_000), None)

    assert str(caught.value) == (
        "the budget of 0.001 US dollars does not allow another call: 0.001 is left, and one may take up to 0.0012345; "
        "raise the cap, or set a lower max_tokens"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  # our own


def test_time_is_a_cap_too() -> None:
    assert Purse(Budget(seconds=60), PRICES, seconds=lambda: 59.0).may_go(Amount(1), None)
    with pytest.raises(BudgetSpent, match="the budget of 60 seconds is spent; go on with a higher cap"):
        Purse(Budget(seconds=60), PRICES, seconds=lambda: 60.0).may_go(Amount(1), None)


def test_a_dialog_that_meets_its_own_cap_ends_alone() -> None:
    spending = purse(per_dialog=Caps(calls=1))
    greedy, modest = spending.account_for_dialog(NOTHING), spending.account_for_dialog(NOTHING)
    assert spending.may_go(Amount(1), greedy)
    spending.settle(Amount(1), Amount(1), greedy)

    with pytest.raises(BudgetSpent, match="the budget of 1 call a dialog is spent; go on with a higher cap") as caught:
        spending.may_go(Amount(1), greedy)

    assert not caught.value.is_of_run
    assert spending.is_spent is None
    assert spending.may_go(Amount(1), modest)


def test_a_dialog_whose_own_call_under_way_takes_what_is_left_waits_for_it() -> None:
    spending = purse(per_dialog=Caps(calls=1))
    account = spending.account_for_dialog(NOTHING)
    assert spending.may_go(Amount(1), account)

    assert not spending.may_go(Amount(1), account)


def test_what_earlier_sessions_spent_counts() -> None:
    spending = Purse(Budget(calls=5), PRICES, seconds=lambda: 0.0, spent=Amount(5))

    with pytest.raises(BudgetSpent):
        spending.may_go(Amount(1), None)


def test_a_service_that_bills_more_than_was_reserved_is_asked_nothing_more() -> None:
    spending = purse(tokens=100)
    assert spending.may_go(Amount(1, 50), None)
    spending.settle(Amount(1, 50), Amount(1, 170), None)

    with pytest.raises(BudgetSpent, match="the budget of 100 tokens is spent"):
        spending.may_go(Amount(1, 1), None)


def test_the_most_of_a_call_is_its_bytes_and_its_longest_reply() -> None:
    spending = purse(tokens=10_000)
    price = spending.check("priced:a")

    assert spending.most(HELLO, price, None).completion_tokens == 50
    assert spending.most(HELLO, price, 30).completion_tokens == 30
    assert spending.most(SHORT, price, 30).completion_tokens == 7
    assert spending.most(SHORT, price, 30).prompt_tokens >= len("Hello!")


@pytest.mark.parametrize("caps", [{"tokens": 5}, {"usd": 5}, {"per_dialog": Caps(usd=1)}])
def test_a_reply_without_end_cannot_be_capped_and_the_message_says_what_to_set(caps: dict[str, Any]) -> None:
    spending = purse(**caps)

    with pytest.raises(SetupError, match="set max_tokens in the agents' model_parameters: in a scenario file as "):
        spending.most(HELLO, spending.check("priced:endless"), None)


@pytest.mark.parametrize("caps", [{"calls": 5}, {"seconds": 5}])
def test_caps_on_calls_and_time_need_no_max_tokens(caps: dict[str, Any]) -> None:
    spending = purse(**caps)

    assert spending.most(HELLO, spending.check("priced:endless"), None) == Usage()


def test_a_free_model_needs_no_max_tokens_under_a_cap_on_money() -> None:
    spending = purse(usd=1)

    assert spending.most(HELLO, spending.check("free"), None) == Usage()


@pytest.mark.parametrize("extra", [{"n": 3}, {"max_completion_tokens": 9000}, {"n_predict": -1}])
def test_parameters_that_make_replies_longer_than_max_tokens_are_refused(extra: dict[str, object]) -> None:
    request = CompletionRequest(messages=HELLO.messages, parameters=Parameters(max_tokens=7, extra=extra))
    spending = purse(usd=1)

    with pytest.raises(SetupError, match=f"cannot hold with {next(iter(extra))}"):
        spending.most(request, spending.check("priced:a"), None)


def test_a_cap_on_money_needs_the_price() -> None:
    with pytest.raises(PriceUnknown, match=r"priced:b is not known .known are .*priced:a"):
        purse(usd=1).check("priced:b")
    with pytest.raises(PriceUnknown):
        purse(per_dialog=Caps(usd=1)).check("priced:b")


def test_without_a_cap_on_money_an_unknown_price_is_noted_and_counts_as_nothing() -> None:
    spending = purse(calls=1)

    assert spending.check("priced:b").is_free
    assert spending.unpriced == {"priced:b"}
    assert spending.cost("priced:b", Usage(10, 10)) is None


def test_without_caps_the_run_costs_what_its_replies_and_the_earlier_sessions_do() -> None:
    spending = Purse(Budget(), PRICES, seconds=lambda: 0.0, spent=Amount(1, 5, 10**12))

    assert spending.usd({}) == 1.0
    assert spending.usd({"priced:a": Usage(10**11, 10**11), "free": Usage(9, 9)}) == 1.0 + 0.2 + 1.0


def test_the_cost_is_unknown_as_soon_as_it_is_in_part() -> None:
    fresh, resumed = purse(), Purse(Budget(), PRICES, seconds=lambda: 0.0, unpriced_calls=1)

    assert fresh.usd({"priced:a": Usage(1, 1), "priced:b": Usage(1, 1)}) is None
    assert fresh.unpriced == {"priced:b"}
    assert resumed.usd({"priced:a": Usage(1, 1)}) is None


AMOUNTS = st.builds(Amount, st.integers(0, 1), st.integers(0, 10**6), st.integers(0, 10**15))
LIMITS = st.none() | st.integers(0, 20)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=30), st.randoms(use_true_random=False))
def test_spent_is_the_sum_of_what_was_settled_and_reserved_returns_to_nothing(
    calls: list[tuple[Amount, Amount]], random: Any
) -> None:
    account = Account(Caps())
    for reserved, _ in calls:
        account.reserve(reserved)
    assert account.reserved == sum((reserved for reserved, _ in calls), NOTHING)
    order = calls.copy()
    random.shuffle(order)

    for reserved, spent in order:
        account.settle(reserved, spent)

    assert account.reserved == NOTHING
    assert account.spent == sum((spent for _, spent in calls), NOTHING)
    assert all(type(value) is int for value in account.spent)


@given(
    st.builds(Caps, calls=LIMITS, tokens=LIMITS, usd=st.none() | st.integers(0, 20).map(lambda n: Decimal(n) / 10**12)),
    st.lists(st.builds(Amount, st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_whatever_is_paid_in_whatever_order_no_cap_is_exceeded(caps: Caps, wishes: list[Amount], random: Any) -> None:
    spending = Purse(Budget(**caps.to_dict()), PRICES, seconds=lambda: 0.0)
    limits = (caps.calls, caps.tokens, caps.picodollars)
    under_way: list[Amount] = []
    for wish in wishes:
        try:
            if spending.may_go(wish, None):
                under_way.append(wish)
        except BudgetSpent:
            assert spending.is_spent is not None
        if under_way and random.random() < 0.4:
            reserved = under_way.pop(random.randrange(len(under_way)))
            spending.settle(reserved, Amount(*(random.randint(0, most) for most in reserved)), None)

        held = spending.account.spent + spending.account.reserved
        assert all(limit is None or value <= limit for limit, value in zip(limits, held, strict=True))
        assert spending.account.reserved == sum(under_way, NOTHING)
