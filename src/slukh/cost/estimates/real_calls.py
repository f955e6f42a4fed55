"""What real calls cost, and what they would have cost: rows of the ledger through the rating engine.

    as it was        every row, retries and hedges among them, as it was used; stored clips and phrases made
                     beforehand, too, which are of no call and in no column
    three columns    the same calls heard in each of the three ways: the whole leg streamed to Google, each
                     utterance once to Google, Whisper
    as if            another provider, model, caching policy or phrase cache in place of what was used

Calls come one after the other and are forgotten; what stays are sums, and a scenario that is fitted to them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from slukh.cost.estimates.analysis import Analysis, assembled
from slukh.cost.estimates.breakdown import Breakdown, money
from slukh.cost.estimates.call_costs import CallCosts
from slukh.cost.estimates.counterfactual import AS_IT_WAS, AsIf, as_if_used
from slukh.cost.estimates.fit import Fit
from slukh.cost.estimates.scenario import Scenario, Service, WhisperFleet
from slukh.cost.estimates.scenario_usage import stream_pieces
from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE, CallFacts
from slukh.cost.pricing.llm_tokens import without_figures
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import CACHED, RatedLine, Rater
from slukh.errors import ScenarioError
from slukh.types import Usage

_BATCH_CALLS = 200
# Attempts that a caller waited for; interims, speculation, shadows and canaries send the same audio again.
_HEARING = frozenset({"serve", "retry", "hedge"})


class RealCall(Protocol):
    """A call as a ledger has it: its legs, and every row of its usage."""

    @property
    def legs(self) -> tuple[CallFacts, ...]:
        """In order."""

    @property
    def usage(self) -> tuple[Usage, ...]:
        """By leg, component and sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCosts:
    """Real calls of a period in dollars.

    Attributes:
        since: first moment of the period.
        until: first moment after it.
        calls: how many started in it.
        analysis: the report, per call and scaled to a month of 30 days, heard in each of the three ways.
        used_usd: what was used, by component, as it was.
        beside_usd: of it, what was used for nobody's call.
        as_if_usd: by component, as asked; None when nothing was asked.
        stt_by_purpose_usd: what was used for hearing, by why it was sent.
    """

    since: datetime
    until: datetime
    calls: int
    analysis: Analysis
    used_usd: dict[str, Decimal]
    beside_usd: dict[str, Decimal]
    as_if_usd: dict[str, Decimal] | None
    stt_by_purpose_usd: dict[str, Decimal]

    def as_json(self) -> dict[str, object]:
        """What the report itself does not say."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "calls": self.calls,
            "requests_without_figures": self.analysis.without_figures,
            "used": _amounts(self.used_usd),
            "used_beside_calls": _amounts(self.beside_usd),
            "as_if": None if self.as_if_usd is None else _amounts(self.as_if_usd),
            "stt_by_purpose": _amounts(self.stt_by_purpose_usd),
        }


def real_costs(
    calls: Iterable[RealCall],
    frame: Scenario,
    book: PriceBook,
    *,
    since: datetime | None,
    until: datetime,
    as_if: AsIf = AS_IT_WAS,
    beside: Iterable[Usage] = (),
) -> RealCosts:
    """Costs of the calls of a period.

    Args:
        calls: each once, in any order.
        frame: what no call tells: servers, wages, GPUs, target, who would be compared.
        book: the prices.
        since: first moment of the period; None is the day of the first call.
        until: first moment after it.
        as_if: what to put in place of what was used.
        beside: what was used for nobody's call.

    Raises:
        ScenarioError: there was no call.
        PriceError: the book has no price for something that was used.
    """
    sums = _Sums(frame, book, as_if)
    for batch in _batches(calls):
        sums.add(batch)
    if sums.fit.first is None:
        raise ScenarioError(
            "no call of the ledger started in that time",
            remedy="name an earlier day with --since, or see `slukh calls list`",
        )
    if since is None:
        # A shop that began last week has no month behind it; a day is the least that can be scaled to one.
        first_day = sums.fit.first.replace(hour=0, minute=0, second=0, microsecond=0)
        since = min(first_day, until - timedelta(days=1))
    sums.add_beside([row for row in beside if since <= row.occurred_at < until])
    return sums.costs(since, until)


class _Sums:
    """Dollars of the calls so far."""

    def __init__(self, frame: Scenario, book: PriceBook, as_if: AsIf) -> None:
        if as_if.stt is not None:
            frame = replace(frame, stt=replace(frame.stt, google=as_if.stt))
        self._frame, self._book, self._as_if = frame, book, as_if
        # Each has its own position in the month's tiers.
        self._used, self._asked, self._whole, self._gated, self._service = (Rater(book) for _ in range(5))
        self._used_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._asked_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._beside_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._by_purpose: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._hearing: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._without_figures = 0
        self._prices: dict[str, RatedLine] = {}
        self.fit = Fit()

    def add(self, calls: list[RealCall]) -> None:
        """Take calls, each whole."""
        for call in calls:
            self.fit.add(call.legs, call.usage)
            self._without_figures += without_figures(call.usage)
        used = self._used.rate([row for call in calls for row in call.usage])
        for line in used:
            self._used_usd[line.component] += line.amount_usd
            if line.component == "stt":
                self._by_purpose[line.purpose] += line.amount_usd
            self._prices.setdefault(line.price_id, line)
        asked = used
        if self._as_if != AS_IT_WAS:
            rows = [
                row for call in calls for row in as_if_used(call.usage, self._as_if, self._book, self._frame)
            ]
            asked = self._asked.rate(rows)
        for line in asked:
            self._asked_usd[line.component] += line.amount_usd
        google = self._frame.stt.google
        self._hear(self._whole, "google", [row for call in calls for row in whole_call_rows(call, google)])
        self._hear(self._gated, "google_gated", [row for call in calls for row in spoken_rows(call, google)])
        whisper = self._frame.stt.whisper
        if isinstance(whisper, Service):
            self._hear(self._service, "whisper", [r for call in calls for r in spoken_rows(call, whisper)])

    def add_beside(self, rows: list[Usage]) -> None:
        """Take what was used for nobody's call: it stays what it was, whatever calls are asked to be."""
        for line in self._used.rate(rows):
            self._beside_usd[line.component] += line.amount_usd
            if line.component == "stt":
                self._by_purpose[line.purpose] += line.amount_usd
            self._prices.setdefault(line.price_id, line)

    def _hear(self, rater: Rater, column: str, rows: list[Usage]) -> None:
        for line in rater.rate(rows):
            self._hearing[column] += line.amount_usd
            self._prices.setdefault(line.price_id, line)

    def costs(self, since: datetime, until: datetime) -> RealCosts:
        """The sums as a report."""
        scenario = self.fit.scenario(self._frame, since=since, until=until)
        calls, a_month = self.fit.calls, scenario.volume.calls_per_month
        calendar = CallCosts(scenario, self._book)
        if isinstance(scenario.stt.whisper, WhisperFleet):
            whisper = calendar.whisper_month(a_month) / a_month
        else:
            whisper = self._hearing["whisper"] / calls
        per_call = Breakdown(
            stt_google=self._hearing["google"] / calls,
            stt_google_gated=self._hearing["google_gated"] / calls,
            stt_whisper=whisper,
            tts=self._asked_usd["tts"] / calls,
            llm=self._asked_usd["llm"] / calls,
            line=self._asked_usd["line"] / calls,
            fixed=calendar.fixed_month() / a_month,
        )
        used_prices = [calendar.price_of(line) for key, line in sorted(self._prices.items()) if key]
        return RealCosts(
            since=since,
            until=until,
            calls=calls,
            analysis=assembled(
                scenario,
                self._book,
                per_call,
                prices=(*used_prices, *calendar.prices_used()),
                basis="ledger",
                without_figures=self._without_figures,
            ),
            used_usd=_added(self._used_usd, self._beside_usd),
            beside_usd=dict(self._beside_usd),
            as_if_usd=None if self._as_if == AS_IT_WAS else _added(self._asked_usd, self._beside_usd),
            stt_by_purpose_usd=dict(self._by_purpose),
        )


def whole_call_rows(call: RealCall, service: Service) -> list[Usage]:
    """The call as if a recogniser had listened to all of every leg."""
    return [
        _heard(leg.call_id, leg.leg, number, service, piece, leg.started_at)
        for leg in call.legs
        for number, piece in enumerate(stream_pieces(leg.heard_ms))
        if piece
    ]


def spoken_rows(call: RealCall, service: Service) -> list[Usage]:
    """The call as if a recogniser had heard every utterance once, whole."""
    longest: dict[tuple[int, int], Usage] = {}
    for row in call.usage:
        if row.component != "stt" or row.purpose not in _HEARING or row.outcome == CACHED:
            continue
        key = row.leg, row.sequence // ATTEMPTS_PER_UTTERANCE
        if key not in longest or row.quantity > longest[key].quantity:
            longest[key] = row
    return [
        _heard(row.call_id, leg, utterance, service, row.quantity, row.occurred_at)
        for (leg, utterance), row in longest.items()
    ]


def _heard(  # noqa: PLR0917  # in the order of a row
    call_id: str, leg: int, number: int, service: Service, quantity: int, occurred_at: datetime
) -> Usage:
    return Usage(
        call_id=call_id,
        leg=leg,
        component="stt",
        sequence=number * ATTEMPTS_PER_UTTERANCE + 1,
        provider=service.provider,
        model=service.model,
        unit="audio_ms",
        quantity=quantity,
        outcome="published",
        occurred_at=occurred_at,
    )


def _batches(calls: Iterable[RealCall]) -> Iterable[list[RealCall]]:
    batch: list[RealCall] = []
    for call in calls:
        batch.append(call)
        if len(batch) == _BATCH_CALLS:
            yield batch
            batch = []
    if batch:
        yield batch


def _added(one: dict[str, Decimal], other: dict[str, Decimal]) -> dict[str, Decimal]:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in one | other}


def _amounts(by_name: dict[str, Decimal]) -> dict[str, str]:
    total = {"total": sum(by_name.values(), Decimal(0))}
    return {name: money(amount) for name, amount in (dict(sorted(by_name.items())) | total).items()}
