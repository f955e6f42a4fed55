import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from slukh.cost.estimates.analysis import analyse
from slukh.cost.estimates.cost_report import CostReport, analysis_report
from slukh.cost.estimates.scenario import Service, Vat
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.plain import plain
from slukh.cost.pricing.price_book import PriceBook

SHOP = load_scenario("tyre-shop")
MARKET = PriceBook.load("market-2026-11")


@pytest.fixture(scope="module")
def report() -> CostReport:
    return analysis_report(SHOP, MARKET, MARKET)


def test_a_report_begins_with_what_a_call_costs(report: CostReport) -> None:
    assert report.verdict[0].startswith("A call costs $0.0776 with Google, whole call (below), ")
    assert "the target is $0.15 to $0.30" in report.verdict[0]
    assert len(report.verdict) > 3


def test_a_curve_has_both_ends_of_every_step(report: CostReport) -> None:
    rents = [(point.calls_per_month, point.whisper) for point in report.curve]
    assert rents == sorted(rents)
    jumps = [(a, b) for (a, rent), (b, more) in pairwise(rents) if more > rent]
    assert jumps
    assert all(b == a + 1 for a, b in jumps)
    targets = [found.calls_per_month for found in report.decision.targets] if report.decision else []
    assert all(found is None or found < report.curve[-1].calls_per_month for found in targets)


def test_alternatives_stand_beside_the_recogniser_in_use(report: CostReport) -> None:
    by_name = {price.service.provider: price for price in report.hearing}
    assert report.hearing[0].service == SHOP.stt.google
    assert by_name["google-v1"].minute_usd == Decimal("0.024")
    # Four utterances, each billed as 10 s.
    assert by_name["groq"].speech_only_usd == pytest.approx(Decimal("2.667"), abs=Decimal("0.001"))


def test_all_of_it_is_plain_json(report: CostReport) -> None:
    values = json.loads(json.dumps(plain(report)))
    assert values["analysis"]["scenario"] == "tyre-shop"
    assert values["decision"]["gpu_month_usd"] == "245.00"
    assert plain(date(2026, 11, 26)) == "2026-11-26"
    with pytest.raises(TypeError, match="no JSON for object"):
        plain(object())


def test_whisper_as_a_service_has_a_report_too() -> None:
    service = Service(provider="groq", model="whisper-large-v3-turbo")
    report = analysis_report(replace(SHOP, stt=replace(SHOP.stt, whisper=service)), MARKET, MARKET)
    assert report.decision is None
    assert report.curve == ()
    assert len(report.verdict) == 1


def test_tax_is_a_cost_only_where_it_does_not_come_back() -> None:
    back, kept = (
        analyse(replace(SHOP, vat=Vat(rate=Decimal("0.2"), is_recoverable=recoverable)), MARKET)
        for recoverable in (True, False)
    )
    assert back.per_call == kept.per_call
    assert (
        back.with_vat("google")
        == kept.rois["google"].agent_call_usd
        == back.per_call.total("google") * Decimal("1.2")
    )
    assert back.rois["google"].agent_call_usd == back.per_call.total("google")
