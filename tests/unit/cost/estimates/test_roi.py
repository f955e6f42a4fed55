from dataclasses import replace
from decimal import Decimal

import pytest

from slukh.cost.estimates.roi import Operator, Roi

OPERATOR = Operator(
    gross_wage=Decimal(25_000),
    currency="UAH",
    currency_per_usd=Decimal(43),
    social_contribution=Decimal("0.22"),
    overhead=Decimal("0.25"),
    paid_hours=Decimal(168),
    shrinkage=Decimal("0.30"),
    occupancy=Decimal("0.75"),
    talk_seconds=Decimal(180),
    wrap_up_seconds=Decimal(60),
)


def places(amount: Decimal, digits: int) -> Decimal:
    return round(amount, digits)


def test_a_persons_call_costs_what_the_reference_example_says() -> None:
    assert places(OPERATOR.month_usd, 2) == Decimal("886.63")
    assert OPERATOR.call_minutes == 5292
    assert OPERATOR.calls_per_month == 1323
    assert places(OPERATOR.call_usd, 4) == Decimal("0.6702")
    assert places(OPERATOR.naive_call_usd, 4) == Decimal("0.3518")


@pytest.mark.parametrize(
    ("agent_call", "break_even", "blended", "saving", "ratio"),
    [
        ("0.2545", "0.380", "0.4555", "0.2146", "0.843"),
        ("0.166444", "0.248", "0.3675", "0.3027", "1.818"),
    ],
)
def test_seven_in_ten_contained(
    agent_call: str, break_even: str, blended: str, saving: str, ratio: str
) -> None:
    roi = Roi(
        containment=Decimal("0.7"), agent_call_usd=Decimal(agent_call), operator_call_usd=OPERATOR.call_usd
    )
    assert places(roi.break_even_containment, 3) == Decimal(break_even)
    assert places(roi.blended_call_usd, 4) == Decimal(blended)
    assert places(roi.saving_per_call, 4) == Decimal(saving)
    assert places(roi.ratio, 3) == Decimal(ratio)


def test_a_person_who_costs_talk_time_only_makes_the_agent_never_pay() -> None:
    wrong = replace(
        OPERATOR,
        social_contribution=Decimal(0),
        overhead=Decimal(0),
        shrinkage=Decimal(0),
        occupancy=Decimal(1),
        wrap_up_seconds=Decimal(0),
    )
    assert places(wrong.call_usd, 3) == Decimal("0.173")
    roi = Roi(containment=Decimal("0.7"), agent_call_usd=Decimal("0.2545"), operator_call_usd=wrong.call_usd)
    assert roi.break_even_containment > 1
    assert roi.saving_per_call < 0


def test_setup_is_earned_back_in_months_or_never() -> None:
    roi = Roi(
        containment=Decimal("0.7"),
        agent_call_usd=Decimal("0.2545"),
        operator_call_usd=OPERATOR.call_usd,
        setup_usd=Decimal(1000),
        calls_per_month=1000,
    )
    assert roi.payback_months is not None
    assert places(roi.payback_months, 2) == Decimal("4.66")
    assert replace(roi, containment=Decimal("0.3")).payback_months is None
