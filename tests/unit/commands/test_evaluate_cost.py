"""What `slukh evaluate` says that hearing costs."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.commands.evaluate_cost import hearing_cost
from slukh.cost.pricing.price_book import PriceBook
from slukh.experiment.evaluation import Evaluated, Heard, Request, report
from slukh.experiment.manifest import Manifest, Row
from slukh.terminal import evaluation_tables

BOOK = PriceBook.load("market-2026-11")
DAY = date(2026, 11, 20)


def heard(*sent_ms: int, model: str = "chirp_3", outcome: str = "published") -> Heard:
    """A recording of a minute, of which so much was sent in so many requests."""
    requests = tuple(Request(outcome=outcome, sent_ms=each) for each in sent_ms)
    return Heard(
        provider="google", model=model, audio="0" * 16, language_code="uk-UA", text="так", audio_seconds=60.0,
        took_seconds=1.0, final_seconds=(), is_paced=False, requests=requests,
    )  # fmt: skip


def cost(
    *members: Heard, payee: str = "google", book: PriceBook = BOOK, stand_in: bool = False
) -> dict[str, object]:
    return hearing_cost(members, payee=payee, book=book, on=DAY, is_stand_in=stand_in)


def test_google_costs_a_started_second_of_every_request() -> None:
    found = cost(heard(1_500, 2_001), heard(300))
    assert (found["requests"], found["sent_seconds"], found["billed_seconds"]) == (3, 3.801, 6.0)
    assert found["usd"] == "0.001600"  # six seconds at 0.016 a minute
    assert Decimal(str(found["usd_per_audio_hour"])) == Decimal("0.048")  # of the recordings' two minutes
    assert found["reason"] is None


def test_a_request_that_google_does_not_bill_costs_nothing() -> None:
    assert cost(heard(1_000), heard(5_000, outcome="stream"))["usd"] == cost(heard(1_000))["usd"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (cost(heard(1_000, model="small"), payee="whisper"), "own machine, no price per second"),
        (cost(heard(1_000), stand_in=True), "a stand-in, has no price"),
        (cost(heard(1_000, model="none"), payee="nobody"), "no price of stt nobody none"),
        (cost(), "nothing was heard"),
    ],
)
def test_what_is_not_known_is_null_with_its_reason(found: dict[str, object], reason: str) -> None:
    assert found["usd"] is found["usd_per_audio_hour"] is None
    assert reason in str(found["reason"])


def test_what_an_earlier_version_kept_is_not_guessed() -> None:
    kept = heard(1_000)
    old = Heard(**{name: getattr(kept, name) for name in Heard.__slots__} | {"requests": None})
    found = cost(kept, old)
    assert found["usd"] is found["sent_seconds"] is None
    assert "--results" in str(found["reason"])


def test_a_machine_that_a_book_prices_has_dollars(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "book: own\nextends: market-2026-11\nprices:\n  - {id: mine, component: stt, provider: whisper, "
        'unit: audio_ms, per: 60_000, amount: "0.006", basis: audio_sent, effective_from: 2026-11-01, '
        "source: ours, read_on: 2026-11-01, confidence: fact}\n",
        encoding="utf-8",
    )
    assert cost(heard(60_000), payee="whisper", book=PriceBook.load(own))["usd"] == "0.006000"


def test_the_printed_table_says_dollars_or_why_there_are_none_and_a_second_opinion() -> None:
    row = Row(line=1, audio=Path("a.wav"), text="так", language_code="uk-UA", call_id="1")
    both = {"whisper": {1: heard(1_000)}, "google": {1: heard(60_000)}}
    costs = {"whisper": cost(heard(1_000), payee="whisper"), "google": cost(heard(60_000))}
    run = Evaluated(manifest=Manifest(rows=(row,), problems=()), heard=both, problems=(), costs=costs)
    lines = [str(line) for line in evaluation_tables(report(run))]
    assert "whisper: no dollars (own machine, no price per second)" in lines
    assert "google: $0.0160 for 1 request, $0.96 an hour of audio (market-2026-11, 2026-11-20)" in lines
    assert (
        "  second opinion, utterances taken for independent (MAPSSWE): 0 segments, p 1; "
        "too few segments to say anything"
    ) in lines
