"""What a verdict needs besides the experiment's store: out of the ledger and measured files, else by hand.

A figure that a person hands in comes before ours; one that nobody has stays missing, and says why.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from slukh.cost.estimates.capacity_file import read_capacity
from slukh.cost.estimates.group_costs import GroupCost, costs_by_group
from slukh.cost.ledger.calls import each_call
from slukh.cost.ledger.store import Ledger
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import LedgerError, PriceError
from slukh.experiment.begins import Begin, begin
from slukh.experiment.canonical import canonical_version
from slukh.experiment.evidence import ARMS, CallRow, Outside
from slukh.experiment.grammar import load_grammar
from slukh.experiment.handed_in import read_evaluation, read_outside
from slukh.experiment.silence import NAME as SILENCE
from slukh.experiment.statistics.estimates import by_cluster, long_tailed
from slukh.experiment.store import ExperimentStore
from slukh.experiment.traffic import a_month, busiest
from slukh.settings.config import AllSettings
from slukh.stt.language import SUPPORTED

_LEAST_FOUND = 0.98  # of an arm's calls, in the ledger
CAPACITY, COST = "capacity", "cost per call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Files to read, and what is asked.

    Attributes:
        margins: an owner's own, or None.
        evidence: what a person measured or knows, or None.
        capacity: what `slukh whisper check` wrote, or None.
        evaluation: what `slukh evaluate --json` said, or None.
        to: per cent of the calls that Whisper would get.
    """

    margins: Path | None = None
    evidence: Path | None = None
    capacity: Path | None = None
    evaluation: Path | None = None
    to: int = 50


def begin_of(
    store: ExperimentStore, until: datetime, grammars: Sequence[Path], *, wer_bound: float
) -> Begin | None:
    """Where a window that ends at a moment begins by what happened.

    Raises:
        ExperimentError: the store cannot be read.
    """
    calls = store.alike_calls(until)
    first = min((each.first for each in calls), default=until)
    return begin(
        calls,
        store.canonical_versions(until),
        store.canaries(first, until),
        known={canonical_version(load_grammar(code, grammars)) for code in SUPPORTED},
        wer_bound=wer_bound,
    )


def gathered(sources: Sources, given: AllSettings, calls: tuple[CallRow, ...], until: datetime) -> Outside:
    """Every figure that there is, each with where it is from.

    Raises:
        UserError: a file or the ledger cannot be used.
    """
    outside = Outside() if sources.evidence is None else read_outside(sources.evidence)
    origins: dict[str, str] = {}
    if outside.queue_p95_seconds is not None:
        origins[CAPACITY] = f"from {sources.evidence}"
    elif sources.capacity is not None:
        outside, origins[CAPACITY] = _with_capacity(outside, sources.capacity, calls, sources.to)
    if sources.evaluation is not None:
        silent_calls, origins[SILENCE] = read_evaluation(sources.evaluation)
        outside = replace(outside, silent_calls=silent_calls)
    if outside.cost_per_call:
        origins[COST] = f"from {sources.evidence}"
    else:
        outside, origins[COST] = _with_costs(outside, given, calls, until, sources.to)
    return replace(outside, origins=origins)


def _with_capacity(outside: Outside, path: Path, calls: tuple[CallRow, ...], to: int) -> tuple[Outside, str]:
    """The p95 of whole finals bounds that of their wait; at more callers than were tried it says nothing."""
    measured, on = read_capacity(path)
    if not measured.is_fit:
        return outside, f"{path} of {on} says that {measured.url} was found unfit for calls"
    wanted = math.ceil(busiest(calls) * to / 100)
    told = f"{to} % of the busiest moment is {wanted} calls, {path} of {on} has {measured.streams}"
    if not calls or wanted > measured.streams:
        return outside, told
    return replace(outside, queue_p95_seconds=measured.p95_ms / 1000), told


def _with_costs(
    outside: Outside, given: AllSettings, calls: tuple[CallRow, ...], until: datetime, to: int
) -> tuple[Outside, str]:
    arms = {call.call_id: call.arm for call in calls if call.flag_reason == "SPLIT" and call.arm in ARMS}
    if not arms:
        return outside, "no calls drawn by lot"
    since = min(call.started_at for call in calls)
    try:
        book = PriceBook.load(given.cost.slukh_prices)
        with Ledger(given.settings.ledger_url) as ledger:
            found = costs_by_group(each_call(ledger, since=since, until=until), arms, book)
    except (LedgerError, PriceError) as error:  # the way back to less must not wait for money
        return outside, str(error)
    wrong = _why_not(found, Counter(arms.values()))
    if wrong:
        return outside, wrong
    costs = {arm: float(cost.usd_per_call) for arm, cost in found.items()}
    counts = " and ".join(f"{cost.calls} of {arm}'s" for arm, cost in sorted(found.items()))
    told = f"US dollars by {book.name}, from the ledger's {counts} calls"
    outside = replace(outside, price_book=book.version(until.date()))
    if "whisper" in found["whisper"].rented_by_month:
        if outside.whisper_month_usd is None:
            return outside, (
                f"the ledger has {costs['google']:.4f} USD for a call of Google's and {costs['whisper']:.4f} "
                "for Whisper's, but not what Whisper's machine costs: `whisper_month_usd` of --evidence"
            )
        heard = a_month(calls) * max(to, 1) / 100
        costs["whisper"] += outside.whisper_month_usd / heard
        told += f", and {outside.whisper_month_usd:g} a month over {heard:.0f} calls"
    errors = {arm: _error(cost.usd_by_call, calls) for arm, cost in found.items()}
    return replace(outside, cost_per_call=costs, cost_errors=errors), told


def _error(usd: Mapping[str, Decimal], calls: tuple[CallRow, ...]) -> float:
    """Standard error of what a call costs, by caller."""
    found = [call for call in calls if call.call_id in usd]
    amounts = [float(usd[call.call_id]) for call in found]
    return long_tailed(
        *by_cluster([call.cluster for call in found], amounts, [1] * len(found))
    ).standard_error


def _why_not(found: dict[str, GroupCost], wanted: Counter[str]) -> str:
    """Why what the ledger has is not what these calls cost; empty where it is."""
    for arm in ARMS:
        cost = found.get(arm)
        if not wanted[arm] or cost is None or cost.calls < _LEAST_FOUND * wanted[arm]:
            return f"the ledger has {0 if cost is None else cost.calls} of {wanted[arm]} calls of {arm}"
        if cost.unpriced:
            return f"{arm}'s calls used something without a price: {cost.unpriced}"
    return ""
