"""The measures that save money, each as a change of a setup, with the numbers that it rests on.

Their sentences stand in the catalogues (`texts/`) under `measure.KIND`; a measure has their facts.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from slukh.cost.estimates.answer_measures import answering, speaking
from slukh.cost.estimates.decision import Hearing
from slukh.cost.estimates.scenario import Scenario, Service, WhisperFleet
from slukh.cost.estimates.scenario_usage import CallShape, gated_usage, whole_call_usage
from slukh.cost.estimates.setup import Measure, Setup, with_part
from slukh.cost.pricing.price_book import Price, PriceBook
from slukh.cost.pricing.rating import RatingOptions, rate
from slukh.errors import PriceError

GOOGLE_V2 = Service(provider="google", model="chirp_3")


def measures_of(today: Setup, market: PriceBook) -> Iterator[Measure]:
    """All that could be changed in a setup; whether it saves is for the caller to compute."""
    yield from _hearing(today, market)
    yield from answering(today, market)
    yield from speaking(today, market)


def _hearing(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    call = scenario.call
    sent = call.turns * call.utterance_seconds
    billed = _billed_seconds(today, gated=True)
    measured = _is_measured(scenario, "call.utterance_seconds")
    yield Measure(
        name="gating",
        kind="gating",
        facts={
            "sent_seconds": sent,
            "call_seconds": call.seconds,
            "billed_seconds": billed,
            "billed_call_seconds": _billed_seconds(today, gated=False),
        },
        confidence="high" if measured else "medium",
        apply=lambda setup: replace(setup, gated=True),
    )
    v1, v2 = (
        _per_minute(scenario, today.stt_book, scenario.stt.google),
        _per_minute(scenario, market, GOOGLE_V2),
    )
    if v1 is not None and v2 is not None and v2 < v1:
        yield Measure(
            name="api-version",
            kind="api-version",
            facts={"v1_usd": v1, "v2_usd": v2},
            confidence="high",
            apply=lambda setup: replace(
                setup, stt_book=market, scenario=with_part(setup.scenario, "stt", google=GOOGLE_V2)
            ),
        )
    if call.streams > 1:
        yield Measure(
            name="streams",
            kind="streams",
            facts={"streams": call.streams},
            confidence="high",
            apply=lambda setup: replace(setup, scenario=with_part(setup.scenario, "call", streams=1)),
        )
    if call.channels > 1:
        yield Measure(
            name="channels",
            kind="channels",
            facts={"channels": call.channels},
            confidence="high",
            apply=lambda setup: replace(setup, scenario=with_part(setup.scenario, "call", channels=1)),
        )
    if isinstance(scenario.stt.whisper, WhisperFleet):
        yield from _gpus(today)


def _gpus(today: Setup) -> Iterator[Measure]:
    scenario = today.scenario
    hearing = Hearing(scenario, today.book)
    calls = scenario.volume.calls_per_month
    best = hearing.best_hybrid(calls)
    gpus = max(1, best.gpus)
    mix = hearing.hybrid(calls, gpus)
    streams = hearing.fleet.streams_per_gpu
    yield Measure(
        name="hybrid",
        kind="hybrid",
        facts={
            "gpus": gpus,
            "gpu_month_usd": hearing.gpu_month,
            "streams_per_gpu": streams,
            "streams": gpus * streams,
            "origin": "measured" if scenario.has_measured_streams else "assumption",
            "overflow": mix.overflow_share,
        },
        confidence="medium",
        apply=lambda setup: replace(setup, gpus=gpus),
    )


def _billed_seconds(setup: Setup, *, gated: bool) -> Decimal:
    """Seconds of the mean call that Google bills, rounded per request."""
    scenario = setup.scenario
    shape = CallShape(round(scenario.call.seconds * 1000), scenario.call.turns)
    rows = (gated_usage if gated else whole_call_usage)(scenario, shape, scenario.stt.google)
    options = RatingOptions(channels=scenario.call.channels)
    return Decimal(sum(line.billed_quantity for line in rate(rows, setup.stt_book, options=options))) / 1000


def _is_measured(scenario: Scenario, path: str) -> bool:
    origin = scenario.assumptions.get(path)
    return origin is not None and origin.confidence != "assumption"


def _per_minute(scenario: Scenario, book: PriceBook, service: Service) -> Decimal | None:
    """Dollars of a minute, or None when the book does not know the service or it bills no audio."""
    try:
        price = book.price("stt", service.provider, service.model, "audio_ms", on=scenario.as_of)
    except PriceError:
        return None
    return minute_usd(price, book, scenario.as_of)


def minute_usd(price: Price, book: PriceBook, on: date) -> Decimal:
    """Dollars of a minute of audio, before rounding and tiers."""
    return price.amount * 60_000 / price.per / book.rate(price.currency, on)
