"""The measures that save money, each as a change of a setup, with the numbers that it rests on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from slukh.cost.call_costs import LIFETIME_HOURS, CallCosts, traffic_of, warm_share
from slukh.cost.decision import Hearing
from slukh.cost.price_book import Price, PriceBook
from slukh.cost.rating import RatingOptions, rate
from slukh.cost.scenario import Scenario, Service, WhisperFleet
from slukh.cost.scenario_usage import CallShape, gated_usage, requests_of, whole_call_usage
from slukh.cost.setup import Setup
from slukh.cost.tokenizer import tokens_counted_by
from slukh.errors import PriceError

GOOGLE_V2 = Service(provider="google", model="chirp_3")
# A shop that warms its phrase cache well; characters, not requests.
GOOD_HIT_RATE = Decimal("0.6")
KEPT_TURNS = 4
STATE_TOKENS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A change of a setup.

    Attributes:
        name, title, change, because, confidence: as in `Recommendation`.
        apply: a setup with the change made.
    """

    name: str
    title: str
    change: str
    because: str
    confidence: Literal["high", "medium", "low"]
    apply: Callable[[Setup], Setup]


def measures_of(today: Setup, market: PriceBook) -> Iterator[Measure]:
    """All that could be changed in a setup; whether it saves is for the caller to compute."""
    yield from _hearing(today, market)
    yield from _answering(today, market)
    yield from _speaking(today, market)


def _hearing(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    call = scenario.call
    sent = call.turns * call.utterance_seconds
    billed = _billed_seconds(today, gated=True)
    measured = _is_measured(scenario, "call.utterance_seconds")
    yield Measure(
        name="gating",
        title="send speech only",
        change="let Slukh cut utterances: GOOGLE_STT_STREAM=utterance, which is the default",
        because=f"{sent:.1f} s of {call.seconds:.0f} s are utterances, billed as {billed:.0f} s after "
        f"rounding; whole calls are billed as {_billed_seconds(today, gated=False):.0f} s, silence and all",
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
            title="use version 2 of Google's API",
            change="Slukh speaks v2 (doc/google.md); take the v1 client out",
            because=f"${v1:.4f} a minute now, ${v2:.4f} on v2, rounded up to a second per request",
            confidence="high",
            apply=lambda setup: replace(
                setup, stt_book=market, scenario=_part(setup.scenario, "stt", google=GOOGLE_V2)
            ),
        )
    if call.streams > 1:
        yield Measure(
            name="streams",
            title="one stream per call in place of several",
            change="keep the stream open over the call's turns, or gate it",
            because=f"each of the {call.streams} streams is rounded up on its own",
            confidence="high",
            apply=lambda setup: replace(setup, scenario=_part(setup.scenario, "call", streams=1)),
        )
    if call.channels > 1:
        yield Measure(
            name="channels",
            title="send one channel",
            change="send the caller's channel only",
            because=f"{call.channels} channels are billed one by one; one of them is the agent's own voice",
            confidence="high",
            apply=lambda setup: replace(setup, scenario=_part(setup.scenario, "call", channels=1)),
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
    how = "measured" if scenario.has_measured_streams else "assumed"
    yield Measure(
        name="hybrid",
        title=f"Whisper on {gpus} GPU{'s' if gpus > 1 else ''}, Google for the overflow",
        change=f"FF_WHISPER_ROLLOUT_PERCENT=100 and SLUKH_WHISPER_CALLS={gpus * streams}",
        because=f"${hearing.gpu_month:.2f} a month each, {streams} calls at once ({how}), "
        f"{mix.overflow_share:.2%} of the calls overflow",
        confidence="medium",
        apply=lambda setup: replace(setup, gpus=gpus),
    )


def _answering(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    llm = scenario.llm
    yield from _caching(today)
    requests = requests_of(scenario, scenario.call.turns)
    if llm.kept_turns is None and scenario.call.turns > KEPT_TURNS and llm.caching == "none":
        yield Measure(
            name="history",
            title=f"carry {KEPT_TURNS} turns and the order so far, not the whole history",
            change=f"put what is agreed into {STATE_TOKENS} tokens of the prompt and drop older turns",
            because=f"every request sends all turns before it: the first prompt has "
            f"{requests[0].prompt_tokens:,} tokens, the last {requests[-1].prompt_tokens:,}",
            confidence="low",
            apply=_with_short_history,
        )
    if llm.tool_turns:
        yield Measure(
            name="tool-round-trips",
            title="look up before the model asks",
            change="put what the tools would return (stock, the caller's order) into the first request",
            because=f"{len(requests)} requests for {scenario.call.turns} answers, "
            f"{sum(request.prompt_tokens for request in requests):,} prompt tokens a call",
            confidence="low",
            apply=_without_tools,
        )
    for model in llm.alternatives:
        yield Measure(
            name=f"model-{model}",
            title=f"answer with {model}",
            change=f"give {model} a share of the calls and compare what becomes of them",
            because=f"its prices and its way of counting tokens; now it is {llm.model}",
            confidence="low",
            apply=partial(_answering_with, model=model, market=market),
        )


def _caching(today: Setup) -> Iterator[Measure]:
    """The best policy: what is cached, and for how long; by traffic, because a cold cache is paid for.

    A prefix too short for the model to cache is tried at the length that it does.
    """
    scenario, calls = today.scenario, today.scenario.volume.calls_per_month
    llm = scenario.llm
    minimum = today.llm_book.minimum_prefix_tokens(llm.provider, llm.model, scenario.as_of)
    lengths = sorted({llm.prefix_tokens, max(llm.prefix_tokens, minimum or 0)})
    policies = [
        {
            "caching": caching,
            "cache_lifetime": lifetime,
            "cache_start": "by_traffic",
            "prefix_tokens": length,
            "kept_turns": None,
        }
        for length in lengths
        for caching in ("static", "moving")
        for lifetime in ("5m", "1h")
    ]
    best = min(
        policies,
        key=lambda policy: CallCosts(_part(scenario, "llm", **policy), today.llm_book).llm(calls),
    )
    lifetime, length = str(best["cache_lifetime"]), best["prefix_tokens"]
    warm = warm_share(traffic_of(scenario), calls, LIFETIME_HOURS[lifetime])
    where = "after the prefix" if best["caching"] == "static" else "at the end of every request"
    longer = "" if length == llm.prefix_tokens else f"lengthen the prefix to {length:,} tokens and "
    known = "is not known: look for cache reads in the usage" if minimum is None else f"has {minimum:,}"
    yield Measure(
        name="prompt-caching",
        title=f"{longer}cache the prompt {where} for {lifetime}",
        change=f"{longer}set cache_control with ttl {lifetime} {where}; let no byte of the prefix change",
        because=f"the prefix has {llm.prefix_tokens:,} tokens, the shortest that {llm.model} caches {known}; "
        f"another call has left it warm for {warm:.0%} of the calls",
        confidence="medium",
        apply=lambda setup: replace(setup, scenario=_part(setup.scenario, "llm", **best)),
    )


def _speaking(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    tts = scenario.tts
    a_call = tts.characters_per_turn * scenario.call.turns
    a_month = a_call * scenario.volume.calls_per_month
    paid = f"{a_month * (1 - tts.hit_rate):,.0f} of {a_month:,} characters a month are synthesised"
    if tts.phrases and a_call:
        said = sum((len(phrase.text) * phrase.times_per_call for phrase in tts.phrases), Decimal(0))
        dearest = sorted(
            tts.phrases, key=lambda phrase: len(phrase.text) * phrase.times_per_call, reverse=True
        )
        yield Measure(
            name="tts-pre-warm",
            title=f"synthesise {len(dearest)} phrases before they are asked for",
            change="pre-warm, the dearest first: " + "; ".join(phrase.text for phrase in dearest),
            because=f"{said:.0f} characters a call are said word for word; {paid}",
            confidence="medium",
            apply=partial(_with_hit_rate, hit_rate=min(Decimal(1), tts.hit_rate + said / a_call)),
        )
    yield Measure(
        name="tts-cache",
        title=f"speak {GOOD_HIT_RATE:.0%} of the characters from the phrase cache",
        change="split answers into fixed sentences and the parts that differ, so that sentences repeat",
        because=f"{tts.hit_rate:.0%} now; {paid}",
        confidence="medium",
        apply=partial(_with_hit_rate, hit_rate=GOOD_HIT_RATE),
    )
    for voice in tts.alternatives:
        yield Measure(
            name=f"voice-{voice}",
            title=f"speak with {voice}",
            change=f"set the voice to {voice}, and have callers hear both first",
            because=f"{tts.model} now; {paid}",
            confidence="low",
            apply=partial(_speaking_with, voice=voice, market=market),
        )


def _with_short_history(setup: Setup) -> Setup:
    if setup.scenario.llm.caching == "moving":
        return setup  # what is dropped from the middle would make the cache useless
    short = _part(setup.scenario, "llm", kept_turns=KEPT_TURNS, state_tokens=STATE_TOKENS)
    return replace(setup, scenario=short)


def _without_tools(setup: Setup) -> Setup:
    llm = setup.scenario.llm
    looked_up = llm.prefix_tokens + len(llm.tool_turns) * llm.tool_result_tokens
    return replace(setup, scenario=_part(setup.scenario, "llm", prefix_tokens=looked_up, tool_turns=()))


def _answering_with(setup: Setup, *, model: str, market: PriceBook) -> Setup:
    llm = setup.scenario.llm
    tokens = {
        name: tokens_counted_by(model, getattr(llm, name), instead_of=llm.model)
        for name in (
            "prefix_tokens", "caller_tokens", "answer_tokens", "tool_call_tokens", "tool_result_tokens",
        )
    }  # fmt: skip
    return replace(setup, llm_book=market, scenario=_part(setup.scenario, "llm", model=model, **tokens))


def _speaking_with(setup: Setup, *, voice: str, market: PriceBook) -> Setup:
    return replace(setup, tts_book=market, scenario=_part(setup.scenario, "tts", model=voice))


def _with_hit_rate(setup: Setup, *, hit_rate: Decimal) -> Setup:
    better = max(hit_rate, setup.scenario.tts.hit_rate)
    return replace(setup, scenario=_part(setup.scenario, "tts", hit_rate=better))


def _part(scenario: Scenario, part: str, **values: Any) -> Scenario:  # noqa: ANN401  # fields of the part
    changed: Any = {part: replace(getattr(scenario, part), **values)}
    return replace(scenario, **changed)


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
