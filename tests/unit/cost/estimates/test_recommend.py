from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from slukh.cost.estimates.call_costs import CallCosts, warm_share
from slukh.cost.estimates.capacity import Traffic
from slukh.cost.estimates.measures import measures_of
from slukh.cost.estimates.recommend import Recommendation, recommend, waterfall
from slukh.cost.estimates.scenario import Phrase, Scenario, Service
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.estimates.scenario_usage import requests_of
from slukh.cost.estimates.setup import setup_of
from slukh.cost.pricing.price_book import PriceBook

SEED = load_scenario("seed")
SHOP = load_scenario("tyre-shop")
REFERENCE = PriceBook.load("seed-reference")
MARKET = PriceBook.load("market-2026-11")
UNCACHED = replace(SHOP, llm=replace(SHOP.llm, model="claude-sonnet-5-5", caching="none"))


def having(scenario: Scenario, part: str, **values: Any) -> Scenario:
    changed: Any = {part: replace(getattr(scenario, part), **values)}
    return replace(scenario, **changed)


def found(scenario: Scenario, book: PriceBook = REFERENCE) -> dict[str, Recommendation]:
    return {item.name: item for item in recommend(scenario, book, MARKET)}


def test_the_reference_example_saves_24_by_the_api_and_2_88_by_the_phrase_cache() -> None:
    items = found(SEED)
    assert items["api-version"].saving_usd_per_month == Decimal("24.00")
    assert items["tts-cache"].saving_usd_per_month == Decimal("2.88")
    assert items["gating"].saving_usd_per_month == Decimal("12.00")
    assert items["model-claude-sonnet-5-5"].confidence == "low"


def test_the_way_from_254_50_to_166_444() -> None:
    measures = {measure.name: measure for measure in measures_of(setup_of(SEED, REFERENCE), MARKET)}
    cold = having(SEED, "llm", caching="moving")
    setup = setup_of(cold, REFERENCE)
    assert setup_of(SEED, REFERENCE).month_usd - setup.month_usd == Decimal("61.176")
    for name in ("api-version", "tts-cache"):
        setup = measures[name].apply(setup)
    assert setup.month_usd == Decimal("166.444")


def test_they_are_ranked_by_dollars() -> None:
    savings = [item.saving_usd_per_month for item in recommend(SHOP, MARKET, MARKET)]
    assert savings == sorted(savings, reverse=True)
    assert all(saving > 0 for saving in savings)


def test_steps_add_up_to_the_way_they_make() -> None:
    steps = waterfall(UNCACHED, MARKET, MARKET)
    today = setup_of(UNCACHED, MARKET).month_usd / SHOP.volume.calls_per_month
    saved = sum((step.saving_usd_per_month for step in steps), Decimal(0)) / SHOP.volume.calls_per_month
    assert steps[-1].per_call_usd == pytest.approx(today - saved, abs=Decimal("1e-20"))
    assert all(step.saving_usd_per_month > 0 for step in steps)


def test_nothing_is_recommended_that_costs_money() -> None:
    assert "hybrid" not in found(SEED)  # a GPU costs three times what Google does here
    assert "hybrid" in found(having(SEED, "volume", calls_per_month=12_000))


def test_a_gpu_is_worth_little_once_silence_is_not_sent() -> None:
    busy = having(SHOP, "volume", calls_per_month=15_000)
    steps = [step.name for step in waterfall(busy, MARKET, MARKET)]
    assert "gating" in steps
    assert "hybrid" not in steps


def test_a_prefix_too_short_to_be_cached_is_lengthened() -> None:
    short = having(having(SHOP, "llm", caching="none"), "call", spread=0.0)
    item = found(short, MARKET)["prompt-caching"]
    assert item.title.startswith("lengthen the prefix to 4,096 tokens and cache the prompt")
    assert "has 2,500 tokens, the shortest that claude-haiku-4-5 caches has 4,096" in item.because
    asked_for = found(SHOP, MARKET)["prompt-caching"]
    assert asked_for.because.startswith("nothing is cached now, although it is asked for")
    assert "fill it with what the agent needs anyway" in asked_for.change
    as_it_is = having(short, "llm", caching="moving", cache_start="by_traffic")
    assert CallCosts(as_it_is, MARKET).llm(6000) == CallCosts(short, MARKET).llm(6000)
    long = having(short, "llm", prefix_tokens=5000)
    assert found(long, MARKET)["prompt-caching"].title.startswith("cache the prompt")


def test_traffic_decides_how_long_a_prompt_is_kept() -> None:
    seldom = having(having(UNCACHED, "volume", calls_per_month=600), "llm", caching="static")
    keeps = {
        lifetime: CallCosts(
            having(seldom, "llm", cache_lifetime=lifetime, cache_start="by_traffic"), MARKET
        ).llm(600)
        for lifetime in ("5m", "1h")
    }
    best = found(replace(seldom, llm=replace(seldom.llm, caching="none")), MARKET)["prompt-caching"]
    assert keeps["1h"] != keeps["5m"]
    assert (best.facts["lifetime"] == "1h") == (keeps["1h"] < keeps["5m"])


@pytest.mark.parametrize(("an_hour", "minutes", "warm"), [(6, 5, 0.39), (40, 5, 0.96), (6, 60, 0.998)])
def test_a_prompt_is_warm_as_often_as_calls_come(an_hour: int, minutes: int, warm: float) -> None:
    steady = Traffic(call_seconds=90, working_days=30, busy_hour_share=0.1)
    assert warm_share(steady, an_hour * 10 * 30, minutes / 60) == pytest.approx(warm, abs=0.005)


def test_tools_that_are_asked_before_cost_fewer_requests() -> None:
    assert found(SHOP, MARKET)["tool-round-trips"].saving_usd_per_month > 0
    assert "5 requests for 4 answers" in found(SHOP, MARKET)["tool-round-trips"].because


def test_history_is_carried_for_as_long_as_asked() -> None:
    whole = requests_of(SEED, 10)
    short = requests_of(having(SEED, "llm", kept_turns=4, state_tokens=120), 10)
    assert [request.prompt_tokens for request in short[:5]] == [r.prompt_tokens for r in whole[:5]]
    assert whole[-1].prompt_tokens == 2000 + 9 * 140 + 60
    assert short[-1].prompt_tokens == 2000 + 120 + 4 * 140 + 60
    assert short[-2].prompt_tokens == short[-1].prompt_tokens


def test_a_model_that_counts_more_tokens_is_charged_for_them() -> None:
    items = found(SEED)
    # Sonnet 5.5 at the same token counts would save 30.90; it counts 1.3 times as many.
    saving = items["model-claude-sonnet-5-5"].saving_usd_per_month
    assert saving == pytest.approx(Decimal("92.70") - Decimal("1.3") * Decimal("61.80"), abs=Decimal("0.01"))


def test_phrases_are_pre_warmed_dearest_first() -> None:
    phrases = (
        Phrase(text="Добрий день!", times_per_call=Decimal(1)),
        Phrase(text="Зачекайте, будь ласка.", times_per_call=Decimal(2)),
    )
    item = found(having(SEED, "tts", phrases=phrases))["tts-pre-warm"]
    assert item.change.index("Зачекайте") < item.change.index("Добрий")
    characters = len("Добрий день!") + 2 * len("Зачекайте, будь ласка.")
    # A share of the characters, a whole number of them in every answer.
    assert item.saving_usd_per_month == pytest.approx(characters * Decimal("0.004"), abs=Decimal("0.02"))


def test_two_channels_and_many_streams_are_noticed() -> None:
    items = found(having(SEED, "call", channels=2, streams=10))
    assert items["channels"].saving_usd_per_month > items["streams"].saving_usd_per_month > 0


def test_who_is_on_the_cheap_api_is_not_told_to_move() -> None:
    assert "api-version" not in found(SHOP, MARKET)
    on_v1 = having(SHOP, "stt", google=Service(provider="google-v1", model="phone_call"))
    assert "api-version" in found(on_v1, MARKET)
