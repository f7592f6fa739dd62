"""Prices: the table that ships with playact, a user's own over it, and what a reply costs."""

from __future__ import annotations

import json
import pickle
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from playact.engine.budget import PICODOLLARS, Price, Prices
from playact.engine.completion import Usage
from playact.engine.errors import FileInvalid, PriceUnknown


def test_the_table_says_of_what_day_it_is_and_every_entry_is_a_price() -> None:
    text = (files("playact.engine.budget") / "prices.json").read_text(encoding="utf-8")
    content = json.loads(text)

    prices = Prices.load()

    assert date.fromisoformat(content["as_of"]).year >= 2025
    assert prices.as_of == content["as_of"]
    for model in content["models"]:
        price = prices.of(model)
        assert price is not None
        assert 0 <= price.cached_input <= price.input <= price.output, model
        assert price.output <= 100 * PICODOLLARS // 1_000_000, "more than 100 dollars a million tokens is a slip"
        assert price.is_free or price.max_output_tokens, f"{model}: a budget must know how long a reply can be"


def test_money_is_exact() -> None:
    price = Price.from_dict({"input": 0.1, "output": "0.4", "cached_input": 0.025})

    assert price.cost(Usage(10, 10)) == 10 * 100_000 + 10 * 400_000
    assert sum(price.cost(Usage(1, 0)) for _ in range(1_000_000)) == PICODOLLARS // 10


def test_a_price_that_is_no_whole_number_of_picodollars_is_rounded_up() -> None:
    assert Price.from_dict({"input": "0.0000015", "output": 0}).input == 2


def test_cached_tokens_cost_their_own_price_and_are_never_more_than_the_prompt() -> None:
    price = Price(input=10, output=100, cached_input=1)

    assert price.cost(Usage(100, 2, 40)) == 60 * 10 + 40 * 1 + 200
    assert price.cost(Usage(100, 2, 4000)) == 100 * 1 + 200


def test_the_most_a_call_can_cost_does_not_count_on_the_cache_in_either_way() -> None:
    assert Price(input=10, output=100, cached_input=1).most(Usage(7, 2)) == 270
    assert Price(input=10, output=100, cached_input=12).most(Usage(7, 2)) == 284


@pytest.mark.parametrize("name", ["openai:gpt-4.1-2025-04-14", "openai:gpt-4.1@20250414", "openai:gpt-4.1-latest"])
def test_a_dated_name_has_the_price_of_the_plain_one(name: str) -> None:
    assert Prices.load().of(name) == Prices.load().of("openai:gpt-4.1")


def test_a_dated_name_with_a_price_of_its_own_has_that() -> None:
    prices = Prices.load()

    dated, plain = prices.of("openai:gpt-4o-2024-05-13"), prices.of("openai:gpt-4o")

    assert dated is not None
    assert plain is not None
    assert dated.output > plain.output


def test_a_backend_with_one_price_has_it_for_all_its_models() -> None:
    price = Prices.load().of("embedded:my-own")

    assert price is not None
    assert price.is_free


def test_a_longer_name_is_not_taken_for_a_known_one() -> None:
    assert Prices.load().of("openai:gpt-4.1-turbo-ultra") is None
    assert Prices.load().of("openai:gpt") is None
    assert Prices.load().of("") is None


def test_a_users_table_stands_over_ours(tmp_path: Path) -> None:
    own = tmp_path / "prices.json"
    own.write_text(
        '{"models": {"openai:mine": {"input": 1, "output": 2}, "openai:gpt-4.1": {"input": 3, "output": 4}}}'
    )

    prices = Prices.load(own)

    assert prices.of("openai:mine") == Price(1_000_000, 2_000_000, 1_000_000)
    assert prices.of("openai:gpt-4.1") == Price(3_000_000, 4_000_000, 3_000_000, 32768)
    assert prices.of("openai:gpt-5") is not None
    assert prices.source == str(own)


@pytest.mark.parametrize(
    ("own", "price"),
    [
        ({"output": 2}, Price(400_000, 2_000_000, 100_000, 32768)),
        ({"cached_input": 0.3}, Price(400_000, 1_600_000, 300_000, 32768)),
        ({"max_output_tokens": 100}, Price(400_000, 1_600_000, 100_000, 100)),
        ({"input": 9, "cached_input": 1}, Price(9_000_000, 1_600_000, 1_000_000, 32768)),
    ],
)
@pytest.mark.parametrize("date", ["", "-2025-04-14"])
def test_what_a_users_price_leaves_out_is_as_in_our_table(
    tmp_path: Path, own: dict[str, float], price: Price, date: str
) -> None:
    model, path = f"openai:gpt-4.1-mini{date}", tmp_path / "prices.json"
    path.write_text(json.dumps({"models": {model: own}}))

    assert Prices.load(path).of(model) == price


def test_a_discount_on_cached_input_is_not_counted_on_where_a_user_says_what_input_costs(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"models": {"openai:gpt-4.1-mini": {"input": 0.8}}}')

    price = Prices.load(path).of("openai:gpt-4.1-mini")

    assert price == Price(800_000, 1_600_000, 800_000, 32768)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no .models."),
        ('{"models": {"a:b": {"input": 1}}}', "a:b: a price has input and output"),
        ('{"models": {"a:b": {"input": -1, "output": 1}}}', "a:b: -1 is no price"),
        ('{"models": {"a:b": {"input": true, "output": 1}}}', "True is no price"),
        ('{"models": {"a:b": {"input": NaN, "output": 1}}}', "nan is no price"),
        ('{"models": {"a:b": {"input": 1, "output": 1, "max_output_tokens": 0}}}', "above 0"),
        ('{"models": {"a:b": 5}}', "a:b: a price is an object such as .*, not 5"),
        ('{"models": {"scripted": {"inputs": 5}}}', "scripted: inputs is nothing that a price has, which is input, "),
    ],
)
def test_what_is_wrong_in_a_price_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "prices.json"
    own.write_text(text)

    with pytest.raises(FileInvalid, match=message):
        Prices.load(own)


def test_a_price_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="cannot be read"):
        Prices.load(tmp_path / "none.json")


def test_an_unknown_price_names_similar_models_and_how_to_give_it() -> None:
    model = "openai:gpt-4.1-minni"
    error = PriceUnknown(model, Prices.load().similar(model))

    assert "openai:gpt-4.1-mini" in str(error)
    assert "--prices FILE" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own
