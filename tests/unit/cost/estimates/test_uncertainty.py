from dataclasses import replace
from decimal import Decimal

import pytest

from slukh.cost.estimates.ranges import ScaledBook, ranges_of, with_call
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.estimates.uncertainty import assumptions_drawn, calls_drawn, mean_cost, staff_tornado, tornado
from slukh.cost.pricing.price_book import PriceBook

SEED = load_scenario("seed")
REFERENCE = PriceBook.load("seed-reference")

TORNADO = [
    ("length and turns of a call", "0.1495", "0.4960"),
    ("turns", "0.2005", "0.3940"),
    ("system prompt and tools", "0.2245", "0.3745"),
    ("price of the model", "0.1927", "0.3163"),
    ("length of a call, turns as they are", "0.2205", "0.3225"),
    ("calls a month", "0.2105", "0.3095"),
    ("price of the line", "0.2245", "0.3145"),
    ("streams a call is sent in", "0.2545", "0.3025"),
    ("tokens for the same text", "0.2360", "0.2823"),
    ("characters spoken from the cache", "0.2507", "0.2545"),
]


def test_the_tornado_of_the_reference_example() -> None:
    found = [(s.what, f"{s.low_usd:.4f}", f"{s.high_usd:.4f}") for s in tornado(SEED, REFERENCE)]
    assert found == TORNADO


def test_calls_that_differ_in_length() -> None:
    """The sheet's draws (lognormal, 0.5, a turn per 18 s), up to the noise of 20,000 draws."""
    drawn = calls_drawn(SEED, REFERENCE)
    assert drawn.plug_in == pytest.approx(0.2545)
    assert drawn.mean == pytest.approx(0.2639, abs=0.001)
    assert drawn.p5 == pytest.approx(0.131, abs=0.0005)
    assert drawn.p50 == pytest.approx(0.234, abs=0.001)
    assert drawn.p95 == pytest.approx(0.496, abs=0.0005)
    assert drawn.above == pytest.approx(0.29, abs=0.01)
    assert drawn.below + drawn.inside + drawn.above == pytest.approx(1)


def test_draws_are_the_same_every_time() -> None:
    assert calls_drawn(SEED, REFERENCE, draws=500) == calls_drawn(SEED, REFERENCE, draws=500)
    assert assumptions_drawn(SEED, REFERENCE, draws=20) == assumptions_drawn(SEED, REFERENCE, draws=20)


def test_a_histogram_has_every_draw() -> None:
    drawn = calls_drawn(SEED, REFERENCE, draws=1000)
    assert sum(drawn.counts) == drawn.draws == 1000
    assert len(drawn.edges) == len(drawn.counts) + 1


def test_unsure_assumptions_stay_between_their_ends() -> None:
    drawn = assumptions_drawn(SEED, REFERENCE, draws=50)
    assert drawn.plug_in == pytest.approx(0.2545)
    assert 0.1 < drawn.p5 < drawn.p50 < drawn.p95 < 0.9


def test_every_assumption_at_its_base_changes_nothing() -> None:
    base = mean_cost(SEED, REFERENCE, column="google")
    for item in ranges_of(SEED):
        assert mean_cost(*item.apply(SEED, REFERENCE, item.base), column="google") == base, item.name


def test_a_book_may_be_multiplied() -> None:
    twice = ScaledBook(REFERENCE, "llm", Decimal(2))
    base, doubled = (mean_cost(SEED, book, column="google") for book in (REFERENCE, twice))
    assert doubled - base == Decimal("0.0927")


def test_utterances_never_outlast_their_call() -> None:
    short = with_call(SEED, seconds=Decimal(20))
    assert short.call.utterance_seconds == 2


def test_whether_an_agent_pays_hangs_on_the_person() -> None:
    found = staff_tornado(SEED, REFERENCE, tornado(SEED, REFERENCE)[0])
    swings = {swing.what: swing for swing in found}
    naive = swings["a person's idle time"]
    assert naive.high_usd == pytest.approx(Decimal("0.2146"), abs=Decimal("0.0001"))
    assert naive.low_usd == pytest.approx(Decimal("-0.0082"), abs=Decimal("0.0001"))
    widths = [swing.width_usd for swing in found]
    assert widths == sorted(widths, reverse=True)


def test_a_scenario_with_a_spread_keeps_it() -> None:
    narrow = replace(SEED, call=replace(SEED.call, spread=0.1))
    assert calls_drawn(narrow, REFERENCE, draws=2000).p95 < calls_drawn(SEED, REFERENCE, draws=2000).p95
