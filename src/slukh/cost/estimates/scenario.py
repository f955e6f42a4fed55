"""A call profile: what a call is like, how many there are, and who hears, answers and speaks.

Scenarios are YAML files, read once into the dataclasses below (`scenario_file.py`); `scenarios/` has those
that ship. Money is not here: a scenario names entries of a price book, and `scenario_usage.py` turns its
calls into usage rows as real calls make them.

A share is 0 to 1. Every number that nobody measured stands in `assumptions`, with where it comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from slukh.cost.pricing.target import WANTED, Amount, Target

Share = Annotated[Decimal, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Length = Annotated[Decimal, Field(gt=0, le=86_400)]  # seconds
STREAMS_PATH = "stt.whisper.streams_per_gpu"
_STRICT = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How many calls come, and when.

    Attributes:
        calls_per_month: of all hours.
        compare_calls_per_month: further volumes the decision is shown for.
        days_per_month: days on which they come.
        busy_hour_share: share of a day's calls that its busiest hour has.
        hourly_profile: shares of a day's calls by hour, or empty.
    """

    calls_per_month: Positive
    compare_calls_per_month: tuple[Positive, ...] = ()
    days_per_month: Annotated[int, Field(ge=1, le=31)] = 30
    busy_hour_share: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.15")
    hourly_profile: Annotated[tuple[Share, ...], Field(max_length=24)] = ()

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        total = sum(self.hourly_profile, Decimal(0))
        if self.hourly_profile and abs(total - 1) > Decimal("0.001"):
            raise ValueError(f"the hours' shares must add up to 1, they are {total}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call is like.

    Attributes:
        seconds: mean length.
        spread: standard deviation of the logarithm of the length; 0 when all are alike.
        turns: answers of the agent in a call of mean length; others have them in proportion.
        utterance_seconds: mean audio that gating sends of an utterance: speech, pre-roll and endpoint.
        utterance_spread: standard deviation of the logarithm of that.
        streams: pieces in which whole-call listening sends a call; each is rounded up on its own.
        channels: audio channels that go to the recogniser; each is billed.
    """

    seconds: Length
    spread: Annotated[float, Field(ge=0, le=2)] = 0.0
    turns: Annotated[int, Field(ge=1, le=1000)]
    utterance_seconds: Length
    utterance_spread: Annotated[float, Field(ge=0, le=2)] = 0.0
    streams: Annotated[int, Field(ge=1, le=1000)] = 1
    channels: Annotated[int, Field(ge=1, le=16)] = 1

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if self.turns * self.utterance_seconds > self.seconds:
            raise ValueError("the utterances are longer than the call: lower turns or utterance_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Somebody who is paid by usage, as the price book calls them."""

    provider: Annotated[str, Field(min_length=1)]
    model: str = ""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperFleet:
    """Whisper on rented GPUs.

    Attributes:
        gpu: its name among the price book's fixed items.
        hours: hours a month it is rented; None is all of them.
        streams_per_gpu: calls that one hears at once; `slukh whisper check` measures it.
        blocking: share of the busy hour's calls that may find no stream.
        spare_gpus: beyond what traffic needs; 1 is N+1.
        upkeep_usd_per_month: somebody's work to keep them running, however many there are.
        model: what runs there, for the record.
    """

    gpu: Annotated[str, Field(min_length=1)]
    hours: Annotated[Decimal, Field(gt=0, le=744)] | None = None
    streams_per_gpu: Annotated[int, Field(ge=1, le=10_000)] = 8
    blocking: Annotated[float, Field(gt=0, lt=1)] = 0.001
    spare_gpus: Annotated[int, Field(ge=0, le=100)] = 0
    upkeep_usd_per_month: Amount = Decimal(0)
    model: str = ""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """The recognisers that are compared.

    Attributes:
        google: the hosted one.
        whisper: GPUs of your own, or a service that runs it.
        alternatives: further hosted ones, for the table only.
    """

    google: Service
    whisper: WhisperFleet | Service
    alternatives: tuple[Service, ...] = ()

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """The answering model, and a turn in its tokens.

    Attributes:
        provider: as the price book or genai-prices calls it.
        model: its name.
        prefix_tokens: system prompt and tools, sent with every request.
        caller_tokens: what the caller says in a turn.
        answer_tokens: what the model answers in a turn.
        tool_turns: turns (from 1) in which it calls a tool first; one named twice calls two.
        tool_call_tokens: output of such a call.
        tool_result_tokens: what the tool gives back.
        kept_turns: how many past turns a request carries; None is all of them.
        state_tokens: what stands in place of the turns that are not carried, such as the order so far.
        caching: what of a prompt is cached: nothing, the prefix, or all that was sent before.
        cache_lifetime: how long an entry lives after its last use.
        cache_start: whether a call finds the prefix cached: never, or as often as traffic makes it likely.
        alternatives: models that the recommendations compare.
    """

    provider: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]
    prefix_tokens: Count
    caller_tokens: Count
    answer_tokens: Count
    tool_turns: tuple[Positive, ...] = ()
    tool_call_tokens: Count = 0
    tool_result_tokens: Count = 0
    kept_turns: Positive | None = None
    state_tokens: Count = 0
    caching: Literal["none", "static", "moving"] = "none"
    cache_lifetime: Literal["5m", "1h"] = "5m"
    cache_start: Literal["cold", "by_traffic"] = "cold"
    alternatives: tuple[str, ...] = ()

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A sentence that the agent says word for word: speech that can be made before it is asked for.

    Attributes:
        text: as it is sent, markup included.
        times_per_call: how often a call has it, on average.
    """

    text: Annotated[str, Field(min_length=1)]
    times_per_call: Annotated[Decimal, Field(gt=0, le=1000)]

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaking:
    """The voice.

    Attributes:
        provider: as the price book calls it.
        model: its voice or tier.
        characters_per_turn: sent for an answer, markup included.
        hit_rate: share of the characters that comes out of the phrase cache.
        alternatives: other voices' tiers, for the table.
        phrases: what it says word for word and has not in the cache yet.
    """

    provider: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]
    characters_per_turn: Count
    hit_rate: Share = Decimal(0)
    alternatives: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """The person who would take the call otherwise; the wage is in the price book.

    Attributes:
        wage: its name among the book's fixed items.
        social_contribution: the employer's share on top of the gross wage.
        overhead: place, equipment, supervision, hiring, as a share of both.
        paid_hours: a month's.
        shrinkage: share of the paid hours not at the phone.
        occupancy: share of the hours at the phone that are calls.
        talk_seconds: a call's mean length with a person.
        wrap_up_seconds: work after it.
        containment: share of the calls that the agent ends without a person.
        setup_usd: paid once for the agent.
    """

    wage: Annotated[str, Field(min_length=1)]
    social_contribution: Share
    overhead: Annotated[Decimal, Field(ge=0, le=10)]
    paid_hours: Annotated[Decimal, Field(gt=0, le=744)]
    shrinkage: Annotated[Decimal, Field(ge=0, lt=1)]
    occupancy: Annotated[Decimal, Field(gt=0, le=1)]
    talk_seconds: Length
    wrap_up_seconds: Annotated[Decimal, Field(ge=0, le=86_400)]
    containment: Share
    setup_usd: Amount = Decimal(0)

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Vat:
    """Value added tax on what is bought.

    Attributes:
        rate: on top of the price book's prices, which are without it.
        is_recoverable: it comes back, because the business pays VAT itself; else it is a cost.
    """

    rate: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    is_recoverable: bool = True

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Where a number of the scenario comes from.

    Attributes:
        source: a document, a measurement, or `assumption`.
        read_on: when it was read or measured.
        confidence: `fact`, `measured`, or `assumption`, which is to be replaced by one of those.
    """

    source: Annotated[str, Field(min_length=1)]
    read_on: date
    confidence: Literal["fact", "measured", "assumption"]

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything about the calls, nothing about money.

    Attributes:
        version: of this format; 1.
        name: how reports call it.
        title: what it is, one line.
        prices: the book it is priced by when no other is asked for.
        as_of: the day whose prices hold.
        volume, call, stt, llm, tts: as they say.
        line: who carries the call.
        fixed: names of the price book's fixed items and how many of each; GPUs of Whisper are not here.
        staff: the person instead.
        vat: on all but wages.
        target: what a call may cost.
        saving_target_usd: the saving a month that the decision looks for.
        assumptions: origins, by the path of a value (`call.seconds`) or of a whole part (`call`).
    """

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    prices: str
    as_of: date
    volume: Volume
    call: Call
    stt: Hearing
    llm: LanguageModel
    tts: Speaking
    line: Service
    fixed: Mapping[str, Positive] = field(default_factory=dict)
    staff: Staff
    vat: Vat = Vat()
    target: Target = WANTED
    saving_target_usd: Amount = Decimal(600)
    assumptions: Mapping[str, Assumption] = field(default_factory=dict)

    __pydantic_config__ = _STRICT

    @property
    def has_measured_streams(self) -> bool:
        """Whether the calls that one GPU hears at once were measured."""
        origin = self.assumptions.get(STREAMS_PATH)
        return origin is not None and origin.confidence == "measured"

    def value_at(self, path: str) -> object:
        """The value that an assumption is about.

        Raises:
            LookupError: this scenario has no such value.
        """
        value: object = self
        for name in path.split("."):
            if not is_dataclass(value) or name not in {field.name for field in fields(value)}:
                raise LookupError(path)
            value = getattr(value, name)
        return value
