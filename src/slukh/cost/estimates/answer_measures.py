"""Measures that make answers and their voice cheaper; `measures.py` has those of hearing."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

from slukh.cost.estimates.call_costs import LIFETIME_HOURS, CallCosts, traffic_of, warm_share
from slukh.cost.estimates.scenario_usage import requests_of
from slukh.cost.estimates.setup import Measure, Setup, with_part
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.tokenizer import tokens_counted_by
from slukh.cost.wording import Fact

# A shop that warms its phrase cache well; characters, not requests.
GOOD_HIT_RATE = Decimal("0.6")
KEPT_TURNS = 4
STATE_TOKENS = 120


def answering(today: Setup, market: PriceBook) -> Iterator[Measure]:
    """What the model costs: caching, history, tools, another model."""
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
            facts=_facts_of(model, today, market),
            confidence="low",
            apply=partial(_answering_with, model=model, market=market),
        )


def _facts_of(model: str, today: Setup, market: PriceBook) -> dict[str, Fact]:
    """What another model differs in: a dearer one may cost less, if it caches a shorter prefix."""
    llm, on = today.scenario.llm, today.scenario.as_of
    current = today.llm_book.minimum_prefix_tokens(llm.provider, llm.model, on)
    other = market.minimum_prefix_tokens(llm.provider, model, on)
    return {
        "model": model,
        "current": llm.model,
        "prefixes": "unknown" if current is None or other is None else "known",
        "prefix_tokens": llm.prefix_tokens,
        "minimum_tokens": other or 0,
        "current_minimum_tokens": current or 0,
    }


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
        key=lambda policy: CallCosts(with_part(scenario, "llm", **policy), today.llm_book).llm(calls),
    )
    lifetime, length = str(best["cache_lifetime"]), best["prefix_tokens"]
    assert isinstance(length, int)
    warm = warm_share(traffic_of(scenario), calls, LIFETIME_HOURS[lifetime])
    longest = max(request.prompt_tokens for request in requests_of(scenario, scenario.call.turns))
    is_too_short = llm.caching != "none" and longest < (minimum or 0)
    facts: dict[str, Fact] = {
        "caching": str(best["caching"]),
        "lifetime": lifetime,
        "longer": "as-it-is" if length == llm.prefix_tokens else "longer",
        "now": "nothing" if is_too_short else "something",
        "longest_tokens": longest,
        "new_prefix_tokens": length,
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
        apply=lambda setup: replace(setup, scenario=with_part(setup.scenario, "llm", **best)),
    )


def speaking(today: Setup, market: PriceBook) -> Iterator[Measure]:
    """What the voice costs: phrases made once, another voice."""
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
    short = with_part(setup.scenario, "llm", kept_turns=KEPT_TURNS, state_tokens=STATE_TOKENS)
    return replace(setup, scenario=short)


def _without_tools(setup: Setup) -> Setup:
    llm = setup.scenario.llm
    looked_up = llm.prefix_tokens + len(llm.tool_turns) * llm.tool_result_tokens
    return replace(setup, scenario=with_part(setup.scenario, "llm", prefix_tokens=looked_up, tool_turns=()))


def _answering_with(setup: Setup, *, model: str, market: PriceBook) -> Setup:
    llm = setup.scenario.llm
    tokens = {
        name: tokens_counted_by(model, getattr(llm, name), instead_of=llm.model)
        for name in (
            "prefix_tokens", "caller_tokens", "answer_tokens", "tool_call_tokens", "tool_result_tokens",
        )
    }  # fmt: skip
    return replace(setup, llm_book=market, scenario=with_part(setup.scenario, "llm", model=model, **tokens))


def _speaking_with(setup: Setup, *, voice: str, market: PriceBook) -> Setup:
    return replace(setup, tts_book=market, scenario=with_part(setup.scenario, "tts", model=voice))


def _with_hit_rate(setup: Setup, *, hit_rate: Decimal) -> Setup:
    better = max(hit_rate, setup.scenario.tts.hit_rate)
    return replace(setup, scenario=with_part(setup.scenario, "tts", hit_rate=better))
