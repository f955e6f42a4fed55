"""200 simulated calls whose cost is known because they were made of it: every way to ask the ledger agrees.

All of a bill is in them: recognisers with rounding, hedges and shadows, a model with its four buckets, a
voice with kept and interrupted phrases, two trunks of which one bills in blocks, and what is rented. They
go the whole way of real ones: events, meter, spool, ledger, command line. What they should cost is added up
here with the price list's own figures, and with nothing of the rating engine.
"""

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from slukh.cli import app
from slukh.cost.drain import MeterSink
from slukh.cost.ledger.call_bill import Terms, bill_of
from slukh.cost.ledger.rated_lines import RatedLines
from slukh.cost.ledger.store import Ledger
from slukh.cost.live import LiveCosts
from slukh.cost.meter import CLIP_IDS, PHRASE_IDS
from slukh.cost.pricing.fixed import FixedItem
from slukh.cost.pricing.fixed_share import Rented
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import PICO
from slukh.cost.spool import Spool
from slukh.types import (
    AttemptEnded,
    CallCost,
    CallEnded,
    CallEvent,
    CallStarted,
    Event,
    ModelAnswered,
    PhraseSpoken,
    Purpose,
)

CALLS = 200
BEGAN = datetime.now(UTC) - timedelta(days=2)
STT_SECOND = Decimal("0.016") / 60
LINE_SECOND = Decimal("0.01") / 60
# A trunk of its own: nothing up to 3 s, the first minute whole, then half minutes, and 0.002 for each call.
KYIV = """
book: own
extends: market-2026-11
prices:
  - {id: kyiv, component: line, provider: kyiv, unit: call_ms, per: 60_000, amount: "0.03", initial: 60_000,
     increment: 30_000, free: 3_000, setup: "0.002", effective_from: 2026-01-01, source: test,
     read_on: 2026-11-01, confidence: fact}
"""
RENT = Decimal(50 + 2 * 5)  # a server and two numbers, a month
CHARACTER = Decimal("0.000030")
TOKEN = [Decimal(price) / 10**6 for price in ("1", "5", "0.10", "1.25")]  # in, out, read, written


@dataclass(slots=True)
class Truth:
    """What calls cost, in dollars, as they are made."""

    by_call: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    by_component: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    by_purpose: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    saved: Decimal = Decimal(0)
    unheard: Decimal = Decimal(0)
    unheard_output: Decimal = Decimal(0)
    whole: Decimal = Decimal(0)
    gated: Decimal = Decimal(0)

    def add(self, call_id: str, component: str, amount: Decimal) -> None:
        self.by_call[call_id] += amount
        self.by_component[component] += amount


def seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)


def stamped(call_id: str, at: datetime, event: Event) -> CallEvent:
    return CallEvent(
        call_id=call_id, leg=1, provider="google", model="chirp_3", assigned_arm="google", received_at=at,
        event=event,
    )  # fmt: skip


def heard(truth: Truth, call_id: str, dice: random.Random, utterance: int) -> Iterator[Event]:
    """An utterance and its Attempts; Google's own figure stands in some rows and rounds as Google does."""
    lengths = []
    others: list[Purpose] = ["hedge", "shadow"]
    purposes: list[Purpose] = ["serve", *dice.choices(others, k=dice.randrange(3))]
    for attempt, purpose in enumerate(purposes, 1):
        sent_ms = dice.randrange(300, 12_000)
        amount = seconds(sent_ms) * STT_SECOND
        truth.add(call_id, "stt", amount)
        truth.by_purpose[purpose] += amount
        lengths += [sent_ms] if purpose != "shadow" else []
        yield AttemptEnded(
            utterance_id=utterance, attempt=attempt, provider="google", model="chirp_3", purpose=purpose,
            outcome="published", audio_samples=sent_ms * 8,
            reported_ms=dice.choice([None, 1000 * seconds(sent_ms)]),
        )  # fmt: skip
    truth.gated += seconds(max(lengths)) * STT_SECOND


def answered(truth: Truth, call_id: str, dice: random.Random, number: int) -> Iterator[Event]:
    tokens = [dice.randrange(5000) for _ in TOKEN]
    truth.add(call_id, "llm", sum((n * price for n, price in zip(tokens, TOKEN, strict=True)), Decimal(0)))
    unheard = tokens[1] // dice.randrange(1, 5) if dice.random() < 0.3 else 0
    truth.unheard_output += unheard * TOKEN[1]
    yield ModelAnswered(
        request=number, provider="anthropic", model="claude-haiku-4-5", outcome="ok", input_tokens=tokens[0],
        output_tokens=tokens[1], cache_read_tokens=tokens[2], cache_write_tokens=tokens[3],
        spoken_tokens=tokens[1], unheard_tokens=unheard,
    )  # fmt: skip
    characters = dice.randrange(1, 200)
    outcome = dice.choice(["sent", "cached", "interrupted"])
    truth.add(call_id, "tts", Decimal(0) if outcome == "cached" else characters * CHARACTER)
    audio_ms = 60 * characters
    played_ms = dice.randrange(audio_ms) if outcome == "interrupted" else audio_ms
    truth.saved += characters * CHARACTER if outcome == "cached" else 0
    if outcome == "interrupted":
        truth.unheard += (characters - played_ms // 60) * CHARACTER
    yield phrase(number, characters, outcome, audio_ms=audio_ms, played_ms=played_ms)


def phrase(
    number: int, characters: int, outcome: Any, *, audio_ms: int = 0, played_ms: int = 0
) -> PhraseSpoken:
    return PhraseSpoken(
        phrase=number, utterance_id=number, text="", language_code="uk-UA", provider="google",
        voice="uk-UA-Chirp3-HD-Kore", characters=characters, outcome=outcome, audio_ms=audio_ms,
        played_ms=played_ms,
    )  # fmt: skip


def carried(trunk: str | None, milliseconds: int) -> Decimal:
    """What a trunk takes for a call."""
    if trunk is None:
        return seconds(milliseconds) * LINE_SECOND
    if milliseconds <= 3_000:
        return Decimal(0)
    halves = 2 + max(0, -(-(milliseconds - 60_000) // 30_000))
    return Decimal("0.002") + halves * Decimal("0.015")


def call(truth: Truth, call_id: str, dice: random.Random) -> Iterator[Event]:
    trunk = dice.choice([None, "kyiv"])
    yield CallStarted(call_id=call_id, language_code="uk-UA", trunk=trunk)
    for turn in range(1, dice.randrange(1, 8)):
        yield from heard(truth, call_id, dice, turn)
        yield from answered(truth, call_id, dice, turn)
    heard_ms = dice.choice([dice.randrange(1_000, 5_000), dice.randrange(5_000, 200_000)])
    truth.add(call_id, "line", carried(trunk, heard_ms))
    truth.whole += seconds(heard_ms) * STT_SECOND
    yield CallEnded(position=heard_ms * 8, reason="hangup", heard=heard_ms * 8)


def clip(truth: Truth) -> Event:
    truth.add(f"{CLIP_IDS}1", "stt", 6 * STT_SECOND)
    truth.by_purpose["canary"] += 6 * STT_SECOND
    return AttemptEnded(
        utterance_id=1, attempt=1, provider="google", model="chirp_3", purpose="canary", outcome="published",
        audio_samples=5975 * 8,
    )  # fmt: skip


def made_beforehand(truth: Truth) -> Event:
    truth.add(f"{PHRASE_IDS}1", "tts", 64 * CHARACTER)
    return phrase(1, 64, "sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A ledger of these calls, what they cost, and what was said of it while they ran."""

    truth: Truth
    live: list[CallCost]
    environment: dict[str, str]
    folder: Path

    def asked(self, *arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"], env=self.environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory) -> Booked:
    folder, dice, truth = tmp_path_factory.mktemp("known"), random.Random(20261126), Truth()
    url, live = f"sqlite:///{folder}/ledger.db", list[CallCost]()
    (folder / "own.yaml").write_text(KYIV, encoding="utf-8")
    environment = {
        "SLUKH_LEDGER_URL": url,
        "SLUKH_PRICES": str(folder / "own.yaml"),
        "SLUKH_RENTED": "server=1,did=2",
    }
    with Spool(folder / "spool") as spool, Ledger(url) as ledger:
        sink = MeterSink(spool, ledger, costs=LiveCosts(PriceBook.load(environment["SLUKH_PRICES"])))
        sink.start()
        for number in range(CALLS):
            call_id = str(UUID(int=number))
            for step, event in enumerate(call(truth, call_id, dice)):
                at = BEGAN + timedelta(minutes=number, seconds=step)
                live += sink.costs_of(stamped(call_id, at, event))
        for call_id, event in ((f"{CLIP_IDS}1", clip(truth)), (f"{PHRASE_IDS}1", made_beforehand(truth))):
            live += sink.costs_of(stamped(call_id, BEGAN + timedelta(hours=1), event))
        assert sink.stop(60)
    return Booked(truth=truth, live=live, environment=environment, folder=folder)


def near(amount: Decimal) -> Any:
    """To the cent, and then some: each of thousands of lines was rounded to a pico-dollar."""
    return pytest.approx(amount, abs=Decimal("0.00000001"))


def test_the_report_of_real_calls_agrees_to_the_cent(booked: Booked) -> None:
    real, truth = booked.asked("cost", "analyze", "--from-ledger"), booked.truth
    used = {name: Decimal(amount) for name, amount in real["ledger"]["used"].items()}
    assert real["ledger"]["calls"] == CALLS
    assert used.pop("total") == near(sum(truth.by_component.values(), Decimal(0)))
    assert used == {name: near(amount) for name, amount in truth.by_component.items()}
    purposes = {name: Decimal(amount) for name, amount in real["ledger"]["stt_by_purpose"].items()}
    assert purposes.pop("total") == near(truth.by_component["stt"])
    assert purposes == {name: near(amount) for name, amount in truth.by_purpose.items()}
    per_call = {name: Decimal(amount) for name, amount in real["per_call"].items()}
    assert CALLS * per_call["stt_google"] == near(truth.whole)
    assert CALLS * per_call["stt_google_gated"] == near(truth.gated)
    assert CALLS * per_call["llm"] == near(truth.by_component["llm"])
    assert CALLS * per_call["line"] == near(truth.by_component["line"])
    assert real["calls_per_month"] * per_call["fixed"] == near(RENT)


def test_the_same_window_gives_the_same_report_whenever_it_is_asked_for(booked: Booked) -> None:
    last = BEGAN + timedelta(days=3)
    until = ("cost", "analyze", "--from-ledger", "--until", f"{last:%Y-%m-%dT%H:%M}")
    real = booked.asked(*until)
    assert real == booked.asked(*until)
    assert datetime.fromisoformat(real["ledger"]["until"]) == last.replace(second=0, microsecond=0)
    ends_by_itself = datetime.fromisoformat(booked.asked(*until[:3])["ledger"]["until"])
    assert (ends_by_itself.minute, ends_by_itself.second, ends_by_itself.microsecond) == (0, 0, 0)


def test_what_was_used_for_nobodys_call_is_named_and_in_no_column(booked: Booked) -> None:
    real, truth = booked.asked("cost", "analyze", "--from-ledger"), booked.truth
    beside = real["ledger"]["used_beside_calls"]
    assert Decimal(beside["stt"]) == near(truth.by_call[f"{CLIP_IDS}1"])
    assert Decimal(beside["tts"]) == near(truth.by_call[f"{PHRASE_IDS}1"])
    spoken = truth.by_component["tts"] - truth.by_call[f"{PHRASE_IDS}1"]
    assert CALLS * Decimal(real["per_call"]["tts"]) == near(spoken)


@pytest.mark.parametrize("number", [0, CALLS - 1])
def test_one_call_costs_the_same_whoever_is_asked(booked: Booked, number: int) -> None:
    call_id = str(UUID(int=number))
    planned = replace(booked, environment=booked.environment | {"SLUKH_CALLS_PER_MONTH": "6000"})
    explained = planned.asked("cost", "explain", call_id)
    shown = planned.asked("calls", "show", call_id)["cost"]
    lines = [Decimal(line["amount_usd"]) for line in (*explained["lines"], *explained["fixed"])]
    assert Decimal(explained["total_usd"]) == Decimal(shown["total_usd"]) == sum(lines)
    assert Decimal(explained["used_usd"]) == near(booked.truth.by_call[call_id])
    assert Decimal(shown["components"]["fixed"]) == near(RENT / 6000)
    assert sum(Decimal(amount) for amount in shown["components"].values()) == sum(lines)
    assert shown["is_whole"]


def test_the_bills_of_all_calls_are_what_was_used_and_the_rent_of_their_days(booked: Booked) -> None:
    book, truth = PriceBook.load(booked.environment["SLUKH_PRICES"]), booked.truth
    rented = Rented(items=(FixedItem(name="server"), FixedItem(name="did", count=2)))
    terms = Terms(rented=rented)
    with Ledger(booked.environment["SLUKH_LEDGER_URL"]) as ledger:
        RatedLines(ledger, book).rate_new()
        found = [bill_of(ledger, book, str(UUID(int=n)), terms, now=datetime.now(UTC)) for n in range(CALLS)]
    bills = [bill for bill in found if bill is not None]
    assert len(bills) == CALLS
    used = sum(bill.total_pico_usd - bill.components["fixed"] for bill in bills)
    beside = truth.by_call[f"{CLIP_IDS}1"] + truth.by_call[f"{PHRASE_IDS}1"]
    assert Decimal(used) / PICO == near(sum(truth.by_component.values(), Decimal(0)) - beside)
    saved = sum(part.saved_pico_usd or 0 for bill in bills for part in bill.parts)
    assert Decimal(saved) / PICO == near(truth.saved)
    for kind, true in (("barge_in", truth.unheard), ("unheard", truth.unheard_output)):
        wasted = sum(
            waste.amount_pico_usd or 0 for bill in bills for waste in bill.waste if waste.kind == kind
        )
        assert Decimal(wasted) / PICO == near(true)
    assert all(not bill.unknown for bill in bills)


def test_the_export_holds_every_call_and_the_same_dollars(booked: Booked) -> None:
    path = booked.folder / "focus.csv"
    arguments = ["cost", "export", "--format", "focus-csv", str(path)]
    assert CliRunner().invoke(app, arguments, env=booked.environment).exit_code == 0
    exported: defaultdict[str, Decimal] = defaultdict(Decimal)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            exported[row["x_CallId"]] += Decimal(row["BilledCost"])
    assert exported == {call_id: near(amount) for call_id, amount in booked.truth.by_call.items()}


def test_what_was_said_while_they_ran_is_what_the_ledger_says(booked: Booked) -> None:
    added = sum((cost.added_usd for cost in booked.live if cost.added_usd is not None), Decimal(0))
    assert added == near(sum(booked.truth.by_component.values(), Decimal(0)))
    finals = [cost.call_usd for cost in booked.live if cost.is_final]
    assert len(finals) == CALLS
    assert all(cost.is_whole == cost.is_final for cost in booked.live)
