"""The measures that save money, each as a change of a setup, with the numbers that it rests on.

Their sentences stand in the catalogues (`texts/`) under `measure.KIND`; a measure has their facts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from slukh.cost.call_costs import LIFETIME_HOURS, CallCosts, traffic_of, warm_share
from slukh.cost.decision import Hearing
from slukh.cost.price_book import PriceBook
from slukh.cost.scenario import Scenario, Service, WhisperFleet
from slukh.cost.scenario_usage import requests_of
from slukh.cost.setup import Setup
from slukh.cost.tokenizer import tokens_counted_by
from slukh.cost.wording import Fact, Facts
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
        name: short and stable, for scripts.
        kind: whose sentences tell it.
        facts: the numbers in them.
        confidence: as in `Recommendation`.
        apply: a setup with the change made.
    """

    name: str
    kind: str
    facts: Facts
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
    measured = _is_measured(scenario, "call.utterance_seconds")
    yield Measure(
        name="gating",
        kind="gating",
        facts={"sent_seconds": sent, "call_seconds": call.seconds},
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
                setup, stt_book=market, scenario=_part(setup.scenario, "stt", google=GOOGLE_V2)
            ),
        )
    if call.streams > 1:
        yield Measure(
            name="streams",
            kind="streams",
            facts={"streams": call.streams},
            confidence="high",
            apply=lambda setup: replace(setup, scenario=_part(setup.scenario, "call", streams=1)),
        )
    if call.channels > 1:
        yield Measure(
            name="channels",
            kind="channels",
            facts={"channels": call.channels},
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


def _answering(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    llm = scenario.llm
    yield from _caching(today)
    requests = requests_of(scenario, scenario.call.turns)
    if llm.kept_turns is None and scenario.call.turns > KEPT_TURNS and llm.caching == "none":
        yield Measure(
            name="history",
            kind="history",
            facts={
                "kept_turns": KEPT_TURNS,
                "state_tokens": STATE_TOKENS,
                "first_tokens": requests[0].prompt_tokens,
                "last_tokens": requests[-1].prompt_tokens,
            },
            confidence="low",
            apply=_with_short_history,
        )
    if llm.tool_turns:
        yield Measure(
            name="tool-round-trips",
            kind="tool-round-trips",
            facts={
                "requests": len(requests),
                "turns": scenario.call.turns,
                "prompt_tokens": sum(request.prompt_tokens for request in requests),
            },
            confidence="low",
            apply=_without_tools,
        )
    for model in llm.alternatives:
        yield Measure(
            name=f"model-{model}",
            kind="model",
            facts={"model": model, "current": llm.model},
            confidence="low",
            apply=partial(_answering_with, model=model, market=market),
        )


def _caching(today: Setup) -> Iterator[Measure]:
    """The best policy: what is cached, and for how long; by traffic, because a cold cache is paid for."""
    scenario, calls = today.scenario, today.scenario.volume.calls_per_month
    llm = scenario.llm
    policies = [
        _part(scenario, "llm", caching=caching, cache_lifetime=lifetime, cache_start="by_traffic")
        for caching in ("static", "moving")
        for lifetime in ("5m", "1h")
    ]
    best = min(policies, key=lambda policy: CallCosts(policy, today.llm_book).llm(calls)).llm
    minimum = today.llm_book.minimum_prefix_tokens(llm.provider, llm.model, scenario.as_of)
    warm = warm_share(traffic_of(scenario), calls, LIFETIME_HOURS[best.cache_lifetime])
    facts: dict[str, Fact] = {
        "caching": best.caching,
        "lifetime": best.cache_lifetime,
        "prefix_tokens": llm.prefix_tokens,
        "model": llm.model,
        "minimum": "unknown" if minimum is None else "known",
        "minimum_tokens": minimum or 0,
        "warm": warm,
    }
    yield Measure(
        name="prompt-caching",
        kind="prompt-caching",
        facts=facts,
        confidence="medium",
        apply=lambda setup: replace(
            setup,
            scenario=_part(
                setup.scenario,
                "llm",
                caching=best.caching,
                cache_lifetime=best.cache_lifetime,
                cache_start=best.cache_start,
                kept_turns=None,
            ),
        ),
    )


def _speaking(today: Setup, market: PriceBook) -> Iterator[Measure]:
    scenario = today.scenario
    tts = scenario.tts
    a_call = tts.characters_per_turn * scenario.call.turns
    a_month = a_call * scenario.volume.calls_per_month
    paid: dict[str, Fact] = {
        "paid_characters": a_month * (1 - tts.hit_rate),
        "all_characters": a_month,
        "hit_rate": tts.hit_rate,
        "current": tts.model,
    }
    if tts.phrases and a_call:
        said = sum((len(phrase.text) * phrase.times_per_call for phrase in tts.phrases), Decimal(0))
        dearest = sorted(
            tts.phrases, key=lambda phrase: len(phrase.text) * phrase.times_per_call, reverse=True
        )
        yield Measure(
            name="tts-pre-warm",
            kind="tts-pre-warm",
            facts={
                **paid,
                "phrases": len(dearest),
                "texts": "; ".join(f"«{phrase.text}»" for phrase in dearest),
                "said_characters": said,
            },
            confidence="medium",
            apply=partial(_with_hit_rate, hit_rate=min(Decimal(1), tts.hit_rate + said / a_call)),
        )
    yield Measure(
        name="tts-cache",
        kind="tts-cache",
        facts={**paid, "good_hit_rate": GOOD_HIT_RATE},
        confidence="medium",
        apply=partial(_with_hit_rate, hit_rate=GOOD_HIT_RATE),
    )
    for voice in tts.alternatives:
        yield Measure(
            name=f"voice-{voice}",
            kind="voice",
            facts={**paid, "voice": voice},
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


def _is_measured(scenario: Scenario, path: str) -> bool:
    origin = scenario.assumptions.get(path)
    return origin is not None and origin.confidence != "assumption"


def _per_minute(scenario: Scenario, book: PriceBook, service: Service) -> Decimal | None:
    """Dollars of a minute, or None when the book does not know the service or it bills no audio."""
    try:
        price = book.price("stt", service.provider, service.model, "audio_ms", on=scenario.as_of)
    except PriceError:
        return None
    return price.amount * 60_000 / price.per
