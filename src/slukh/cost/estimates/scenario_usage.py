"""A scenario's calls as usage rows, the same rows that the meter makes of real ones. No money, no I/O.

A call is a length and a number of turns. Of calls whose lengths differ, a scenario makes a fixed set that is
equally likely: the lognormal distribution cut into strata of one probability, each by its own mean, so that
the mean of the set is the mean of the distribution. A bill is not linear in the length (rounding, history),
so the bill of the mean call is not the mean bill.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP
from itertools import pairwise
from statistics import NormalDist
from typing import Literal

from slukh.cost.estimates.scenario import Call, Scenario, Service
from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE
from slukh.cost.pricing.llm_tokens import Conversation, Request, buckets
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, Unit, Usage

STRATA = 50
# Google ends a stream after 305 s; ours are cut before that (GOOGLE_STT_STREAM=call).
STREAM_MS = 290_000


@dataclass(frozen=True, slots=True)
class CallShape:
    """One call: how long it lasts, and how often the agent answers."""

    milliseconds: int
    turns: int


def shape_of(call: Call, seconds: float) -> CallShape:
    """A call of that length, with turns in proportion to it."""
    turns = max(1, round(seconds * call.turns / float(call.seconds)))
    return CallShape(max(1, round(seconds * 1000)), turns)


def call_shapes(call: Call, *, strata: int = STRATA) -> tuple[CallShape, ...]:
    """Equally likely calls; one when all are alike."""
    if call.spread == 0:
        return (CallShape(int(call.seconds * 1000), call.turns),)
    return tuple(shape_of(call, mean) for mean in strata_means(float(call.seconds), call.spread, strata))


def strata_means(mean: float, sigma: float, strata: int) -> list[float]:
    """Mean of each of so many equally likely strata of a lognormal distribution, shortest first."""
    if sigma == 0:
        return [mean] * strata
    normal = NormalDist()
    # Of a lognormal variable, the share of the mean below its p-quantile is Phi(z_p - sigma).
    shares = [normal.cdf(normal.inv_cdf(i / strata) - sigma) for i in range(1, strata)]
    edges = [0.0, *shares, 1.0]
    return [mean * strata * (above - below) for below, above in pairwise(edges)]


def line_usage(scenario: Scenario, shape: CallShape) -> tuple[Usage, ...]:
    """The telephone line."""
    return (_usage(scenario, "line", 0, scenario.line, "call_ms", quantity=shape.milliseconds),)


def whole_call_usage(scenario: Scenario, shape: CallShape, service: Service) -> tuple[Usage, ...]:
    """The recogniser listens from the first second to the last, silence and all."""
    pieces = stream_pieces(shape.milliseconds, scenario.call.streams)
    return tuple(
        _usage(scenario, "stt", number * ATTEMPTS_PER_UTTERANCE + 1, service, "audio_ms", quantity=piece)
        for number, piece in enumerate(pieces)
    )


def stream_pieces(milliseconds: int, streams: int = 1) -> list[int]:
    """Lengths of the streams that a whole call is sent in: so many, or more where Google ends them."""
    number = max(streams, math.ceil(milliseconds / STREAM_MS))
    ends = [milliseconds * index // number for index in range(number + 1)]
    return [end - start for start, end in pairwise(ends)]


def gated_usage(scenario: Scenario, shape: CallShape, service: Service) -> tuple[Usage, ...]:
    """The recogniser gets utterances only, one stream each."""
    call = scenario.call
    lengths = strata_means(float(call.utterance_seconds), call.utterance_spread, shape.turns)
    return tuple(
        _usage(
            scenario,
            "stt",
            number * ATTEMPTS_PER_UTTERANCE + 1,
            service,
            "audio_ms",
            quantity=round(seconds * 1000),
        )
        for number, seconds in enumerate(lengths)
    )


def tts_usage(scenario: Scenario, shape: CallShape) -> tuple[Usage, ...]:
    """An answer a turn; the part of it that was spoken before comes out of the cache."""
    voice = Service(provider=scenario.tts.provider, model=scenario.tts.model)
    characters = scenario.tts.characters_per_turn
    cached = int((characters * scenario.tts.hit_rate).to_integral_value(ROUND_HALF_UP))
    rows: list[Usage] = []
    for turn in range(shape.turns):
        if characters > cached:
            rows.append(_usage(scenario, "tts", 2 * turn, voice, "characters", quantity=characters - cached))
        if cached:
            rows.append(
                _usage(scenario, "tts", 2 * turn + 1, voice, "characters", quantity=cached, outcome="cached")
            )
    return tuple(rows)


def requests_of(scenario: Scenario, turns: int) -> tuple[Request, ...]:
    """A call of so many turns as the model sees it; turns too old to be carried give way to the state."""
    model = scenario.llm
    conversation = Conversation(
        turns=turns,
        prefix_tokens=model.prefix_tokens,
        user_tokens=model.caller_tokens,
        answer_tokens=model.answer_tokens,
        tool_turns=tuple(turn for turn in model.tool_turns if turn <= turns),
        tool_call_tokens=model.tool_call_tokens,
        tool_result_tokens=model.tool_result_tokens,
    )
    requests = iter(conversation.requests())
    if model.kept_turns is None:
        return tuple(requests)
    starts: list[int] = []  # prompt of each turn's first request
    carried: list[Request] = []
    for turn in range(1, turns + 1):
        for number in range(conversation.tool_turns.count(turn) + 1):
            request = next(requests)
            if number == 0:
                starts.append(request.prompt_tokens)
            oldest = turn - model.kept_turns  # the first turn that is carried, counted from 1
            dropped = starts[oldest - 1] - starts[0] if oldest > 1 else 0
            prompt = request.prompt_tokens - dropped + (model.state_tokens if dropped else 0)
            carried.append(Request(prompt_tokens=prompt, output_tokens=request.output_tokens))
    return tuple(carried)


def llm_usage(
    scenario: Scenario,
    shape: CallShape,
    *,
    warm: bool = False,
    minimum_prefix_tokens: int = 0,
    caching: Literal["none", "static", "moving"] | None = None,
) -> tuple[Usage, ...]:
    """The requests to the model, a row per bucket of tokens that is not empty.

    Args:
        scenario: whose model.
        shape: the call.
        warm: an earlier call has left the prefix in the cache.
        minimum_prefix_tokens: the model caches nothing shorter.
        caching: instead of the scenario's own policy.
    """
    model = Service(provider=scenario.llm.provider, model=scenario.llm.model)
    billed = buckets(
        requests_of(scenario, shape.turns),
        caching=scenario.llm.caching if caching is None else caching,
        prefix_tokens=scenario.llm.prefix_tokens,
        warm=warm,
        one_hour=scenario.llm.cache_lifetime == "1h",
        minimum_prefix_tokens=minimum_prefix_tokens,
    )
    return tuple(
        _usage(
            scenario, "llm", number * UNITS_PER_REQUEST + index, model, unit, quantity=getattr(tokens, unit)
        )
        for number, tokens in enumerate(billed)
        for index, unit in enumerate(TOKEN_UNITS)
        if getattr(tokens, unit)
    )


def _usage(
    scenario: Scenario,
    component: Literal["stt", "tts", "llm", "line"],
    sequence: int,
    service: Service,
    unit: Unit,
    *,
    quantity: int,
    outcome: str = "published",
) -> Usage:
    return Usage(
        call_id=scenario.name,
        leg=1,
        component=component,
        sequence=sequence,
        provider=service.provider,
        model=service.model,
        unit=unit,
        quantity=quantity,
        outcome=outcome,
        occurred_at=datetime.combine(scenario.as_of, time(12), tzinfo=UTC),
    )
