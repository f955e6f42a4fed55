"""Callers and flags for the tests of flags."""

import hashlib
import json

from slukh.routing.flag_values import flags_from_environment, flags_from_json
from slukh.routing.flags import CallList, Choice, Flags, choose_provider, subject_of
from slukh.routing.rollout import bucket
from slukh.types import CallStarted


def caller_hash(number: str) -> str | None:
    digits = "".join(c for c in number if c.isdigit())
    return hashlib.sha256(digits.encode()).hexdigest()[:16] if digits else None


def caller_in_bucket(low: int, high: int, salt: str = "stt-1") -> str:
    """A caller's hash that is drawn between two buckets."""
    return next(key for n in range(10**6) if low <= bucket(salt, key := f"{n:016x}") < high)


IN_TEN = caller_in_bucket(0, 1000)
IN_FIFTY = caller_in_bucket(1000, 5000)
IN_REST = caller_in_bucket(5000, 10_000)


def call(caller: str | None = IN_REST, *, language: str = "uk-UA", trunk: str | None = None) -> CallStarted:
    return CallStarted(
        call_id="11111111-2222-4333-8444-555555555555", caller=caller, language_code=language, trunk=trunk
    )


def chosen(flags: Flags, started: CallStarted) -> Choice:
    return choose_provider(flags, subject_of(started))


def environment(**values: str) -> Flags:
    return flags_from_environment(values, caller_hash=caller_hash)


def document(**values: object) -> bytes:
    return json.dumps({"version": 1} | values).encode()


def from_json(**values: object) -> Flags:
    return flags_from_json(document(**values), caller_hash=caller_hash)


OFFICE = CallList(trunks=frozenset({"office"}))
RUSSIAN = CallList(languages=frozenset({"ru-RU"}))
ONE_CALLER = CallList(callers=frozenset({IN_REST}))
