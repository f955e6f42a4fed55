from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.commands.cost_report import check_basis, on_the_day
from slukh.commands.options import made
from slukh.cost.estimates.scenario_file import load_scenario
from slukh.errors import UserError

SHOP = load_scenario("tyre-shop")
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def test_a_report_names_the_command_that_makes_it_again() -> None:
    options = {"--from-ledger": False, "--since": None, "--as-of": date(2026, 11, 26), "--vat": 20.0}
    own = {"--scenario": Path("my shop.yaml"), "--calls": 500}
    again = "slukh cost report --as-of 2026-11-26 --vat 20 --scenario 'my shop.yaml' --calls 500"
    assert made("slukh cost report", options | own) == again
    real = {"--from-ledger": True, "--since": DAY, "--as-of": None}
    assert made("slukh cost report", real) == "slukh cost report --from-ledger --since 2026-11-20"


def test_a_day_and_a_tax_take_the_place_of_the_scenarios_own() -> None:
    assert on_the_day(SHOP, DAY, None).as_of == date(2026, 11, 20)
    assert on_the_day(SHOP, DAY, None).vat == SHOP.vat
    assert on_the_day(SHOP, DAY, 7.5).vat.rate == Decimal("0.075")
    assert on_the_day(SHOP, DAY, 0).vat.rate == 0


def test_without_a_day_todays_prices_hold() -> None:
    before = datetime.now(UTC).date()
    assert before <= on_the_day(SHOP, None, None).as_of <= datetime.now(UTC).date()


@pytest.mark.parametrize(("as_of", "vat"), [(DAY, None), (None, 20.0)])
def test_real_calls_have_their_own_day_and_tax(as_of: datetime | None, vat: float | None) -> None:
    with pytest.raises(UserError, match="are about scenarios"):
        check_basis(from_ledger=True, as_of=as_of, vat=vat)
    check_basis(from_ledger=False, as_of=as_of, vat=vat)
