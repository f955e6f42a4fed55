"""A scenario fitted to real calls, so that decision and recommendations can be made of them.

What calls tell is measured and says so, that no model answered or no voice spoke among it; what they do not
(wages, GPUs, target) stays as the frame has it.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from slukh.cost.estimates.scenario import Assumption, Scenario
from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE, CallFacts
from slukh.cost.pricing.llm_tokens import tells_tokens
from slukh.cost.pricing.rating import CACHED
from slukh.types import UNITS_PER_REQUEST, Usage

DAYS_PER_MONTH = 30
# What a fitted value names as its source; reports read it, to say it in their language.
LEDGER_SOURCE = re.compile(r"ledger, (?P<calls>\d+) calls since (?P<since>[\d-]+)")
# A part that no call used, and that the frame must not make up.
_NO_MODEL: dict[str, Any] = {
    "prefix_tokens": 0, "caller_tokens": 0, "answer_tokens": 0, "tool_turns": (), "tool_call_tokens": 0,
    "tool_result_tokens": 0, "state_tokens": 0, "alternatives": (),
}  # fmt: skip
_NO_VOICE: dict[str, Any] = {
    "characters_per_turn": 0, "hit_rate": Decimal(0), "phrases": (), "alternatives": (),
}  # fmt: skip
_HOURS = 24
# One row of nothing says it.
_TELLS_UNUSED = {"answer_tokens", "characters_per_turn"}


class Fit:
    """Sums over real calls.

    Attributes:
        calls: how many so far.
        first: when the first one started, or None.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.first: datetime | None = None
        self._milliseconds = 0
        self._lengths, self._utterance_lengths = _Spread(), _Spread()
        self._hours: Counter[int] = Counter()
        self._utterances = 0
        self._sent_ms = 0
        self._spoken = 0
        self._cached = 0
        self._voices: Counter[tuple[str, str]] = Counter()
        self._models: Counter[tuple[str, str]] = Counter()
        self._requests = 0
        self._talks = 0
        self._first_prompts = 0
        self._last_prompts = 0
        self._output = 0

    def add(self, legs: Sequence[CallFacts], usage: Sequence[Usage]) -> None:
        """Take a call."""
        self.calls += 1
        heard = sum(leg.heard_ms for leg in legs)
        self._milliseconds += heard
        self._lengths.add(heard)
        if legs:
            started = legs[0].started_at
            self.first = started if self.first is None else min(self.first, started)
            self._hours[started.hour] += 1
        longest: dict[tuple[int, int], int] = {}
        prompts: defaultdict[tuple[int, int], int] = defaultdict(int)
        for row in usage:
            if row.component == "stt":
                key = row.leg, row.sequence // ATTEMPTS_PER_UTTERANCE
                longest[key] = max(longest.get(key, 0), row.quantity)
            elif row.component == "tts":
                self._spoken += row.quantity
                self._cached += row.quantity if row.outcome == CACHED else 0
                self._voices[row.provider, row.model] += row.quantity
            elif tells_tokens(row):
                self._models[row.provider, row.model] += row.quantity
                request = row.leg, row.sequence // UNITS_PER_REQUEST
                prompts[request] += 0 if row.unit == "output_tokens" else row.quantity
                self._output += row.quantity if row.unit == "output_tokens" else 0
        self._utterances += len(longest)
        self._sent_ms += sum(longest.values())
        for sent_ms in longest.values():
            self._utterance_lengths.add(sent_ms)
        if prompts:
            self._talks += 1
            self._requests += len(prompts)
            self._first_prompts += prompts[min(prompts)]
            self._last_prompts += prompts[max(prompts)]

    def scenario(self, frame: Scenario, *, since: datetime, until: datetime) -> Scenario:
        """The frame with what was measured in it."""
        days = (until - since) / timedelta(days=1)
        a_month = max(1, round(self.calls * DAYS_PER_MONTH / days))
        hours = tuple(Decimal(self._hours[hour]) / self.calls for hour in range(_HOURS))
        seconds = Decimal(max(1, self._milliseconds)) / 1000 / self.calls
        changes: dict[str, dict[str, Any]] = {
            "volume": {
                "calls_per_month": a_month,
                "days_per_month": DAYS_PER_MONTH,
                "compare_calls_per_month": (),
                "hourly_profile": hours,
                "busy_hour_share": max(hours),
            },
            "call": {"seconds": seconds, "spread": self._lengths.sigma},
            "llm": self._llm(frame),
            "tts": _NO_VOICE,
        }
        if self._utterances:
            turns = self._turns()
            changes["call"]["turns"] = turns
            changes["call"]["utterance_seconds"] = Decimal(self._sent_ms) / 1000 / self.calls / turns
            changes["call"]["utterance_spread"] = self._utterance_lengths.sigma
        if self._spoken:
            turns = changes["call"].get("turns", frame.call.turns)
            provider, model = self._voices.most_common(1)[0][0]
            changes["tts"] = {
                "provider": provider,
                "model": model,
                "characters_per_turn": round(self._spoken / self.calls / turns),
                "hit_rate": Decimal(self._cached) / self._spoken,
            }
        origin = Assumption(
            source=f"ledger, {self.calls} calls since {since:%Y-%m-%d}",
            read_on=until.date(),
            confidence="measured",
        )
        unused = tuple(part for part in ("llm", "tts") if changes[part] in (_NO_MODEL, _NO_VOICE))
        measured = {
            f"{part}.{name}": origin
            for part, values in changes.items()
            for name, value in values.items()
            if name != "provider" and value != () and (part not in unused or name in _TELLS_UNUSED)
        }
        kept = {path: told for path, told in frame.assumptions.items() if not path.startswith(unused)}
        parts: Any = {part: replace(getattr(frame, part), **values) for part, values in changes.items()}
        return replace(
            frame,
            title=f"{calls_of(self.calls)} of the ledger, {since:%Y-%m-%d} to {until:%Y-%m-%d}",
            as_of=until.date(),
            assumptions={**kept, **measured},
            **parts,
        )

    def _turns(self) -> int:
        """Utterances of a call; fewer when not all of them were answered."""
        utterances = self._utterances / self.calls
        answers = self._requests / self._talks if self._talks else utterances
        return max(1, round(min(utterances, answers)))

    def _llm(self, frame: Scenario) -> dict[str, Any]:
        """First prompts are the prefix and the caller's words; what comes on top later is turns and tools.

        Requests beyond the turns are tool calls, in the first turns; all requests let the prompt grow alike.
        """
        if not self._talks:
            return _NO_MODEL
        provider, model = self._models.most_common(1)[0][0]
        requests = self._requests / self._talks
        answer = self._output / self._requests
        growth = (self._last_prompts - self._first_prompts) / self._talks / max(1.0, requests - 1)
        caller = max(0, round(growth - answer)) if requests > 1 else frame.llm.caller_tokens
        turns = self._turns() if self._utterances else frame.call.turns
        tools = max(0, round(requests) - turns)
        return {
            "provider": provider,
            "model": model,
            "prefix_tokens": max(0, round(self._first_prompts / self._talks) - caller),
            "caller_tokens": caller,
            "answer_tokens": round(answer),
            "tool_turns": tuple(sorted(number % turns + 1 for number in range(tools))),
            "tool_call_tokens": round(answer),
            "tool_result_tokens": caller,
        }


def calls_of(number: int) -> str:
    """`1 call`, `2,000 calls`."""
    return "1 call" if number == 1 else f"{number:,} calls"


class _Spread:
    """Welford's running variance of logarithms: no length is kept."""

    def __init__(self) -> None:
        self._number, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, length: int) -> None:
        """Take a length; one of 0 has no logarithm, and does not count."""
        if length <= 0:
            return
        logarithm = math.log(length)
        self._number += 1
        distance = logarithm - self._mean
        self._mean += distance / self._number
        self._squares += distance * (logarithm - self._mean)

    @property
    def sigma(self) -> float:
        """Their standard deviation, as far as a scenario takes it; 0 of fewer than two."""
        if self._number < 2:  # noqa: PLR2004  # one has no spread
            return 0.0
        return min(2.0, round(math.sqrt(self._squares / (self._number - 1)), 6))
