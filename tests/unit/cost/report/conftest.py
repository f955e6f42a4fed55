"""What reports are about, computed once."""

import pytest

from slukh.cost.estimates.cost_report import analysis_report
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.report.findings import Findings, findings_of


@pytest.fixture(scope="session")
def market() -> PriceBook:
    return PriceBook.load("market-2026-11")


@pytest.fixture(scope="session")
def shop(market: PriceBook) -> Findings:
    """The tyre shop, at today's prices."""
    report = analysis_report(load_scenario("tyre-shop"), market, market)
    return findings_of(report, market, command="slukh cost report")


@pytest.fixture(scope="session")
def seed(market: PriceBook) -> Findings:
    """The reference example, at its own."""
    book = PriceBook.load("seed-reference")
    report = analysis_report(load_scenario("seed"), book, market)
    return findings_of(report, book, command="slukh cost report")
