"""Flags from text: environment variables, or the JSON of a flag file.

    {
      "version": 7,
      "stt_provider": "google",
      "weights": {"google": 90, "whisper": 10},
      "whisper_kill": false,
      "shadow_percent": 0,
      "allow": {"callers": ["+380441234567"], "languages": ["uk-UA"], "trunks": ["office"]},
      "deny": {"trunks": ["fax"]},
      "salt": "stt-1"
    }

Only `version` is required; raise it with every change, a lower one is refused as an old copy. `weights` add
up to 100 and stand only beside `"stt_provider": "google"`. A caller is a number as Asterisk gives it (up to
15 digits, the rest of the writing does not matter), or the 16 hex digits of its keyed hash from a call's
record. `rolled_back` is written by a guardrail, and taken out by `slukh ab ramp`.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import cast

from slukh.errors import SettingsError
from slukh.routing.flags import DEFAULT_SALT, PROVIDERS, CallList, Flags, Provider
from slukh.routing.rollback import Rollback, rollback_from
from slukh.routing.rollout import ALL
from slukh.stt.language import bcp_47

CallerHash = Callable[[str], str | None]  # a number's keyed hash, None when it has no digits

_KEYS = (
    "version", "stt_provider", "weights", "whisper_kill", "shadow_percent", "allow", "deny", "salt",
    "rolled_back",
)  # fmt: skip
_LISTS = ("callers", "languages", "trunks")
_ENTRY_KINDS = {"caller": "callers", "language": "languages", "trunk": "trunks"}
_IS_HASH = re.compile(r"[0-9a-f]{16}")
_MAX_DIGITS = 15  # ITU-T E.164: a number has no more, so that 16 digits are never one
_SWITCH = {
    "1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip


def flags_from_environment(environ: Mapping[str, str], *, caller_hash: CallerHash) -> Flags:
    """Flags from environment variables; empty is unset, other names than these are not looked at.

    `FF_STT_PROVIDER`, `FF_WHISPER_ROLLOUT_PERCENT`, `FF_WHISPER_KILL`, `FF_SHADOW_PERCENT`,
    `FF_ROLLOUT_SALT`, and the lists `FF_WHISPER_ALLOW` and `FF_WHISPER_DENY`, written as
    `caller:+380441234567,language:uk-UA,trunk:office`.

    Raises:
        SettingsError: a value that cannot be, by the name of its variable where it alone is wrong.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}

    def percent(name: str) -> int | None:
        if (text := given.get(name)) is None:
            return None
        # Not isdigit(): other scripts have digits too.
        if re.fullmatch("[0-9]{1,3}", text) is None or int(text) > ALL:
            raise SettingsError(f"{name}={text!r} refused", remedy="a whole number of per cent from 0 to 100")
        return int(text)

    kill = given.get("FF_WHISPER_KILL", "false")
    if kill.lower() not in _SWITCH:
        raise SettingsError(f"FF_WHISPER_KILL={kill!r} refused", remedy="true or false")
    return Flags(
        default_provider=_provider("FF_STT_PROVIDER", given.get("FF_STT_PROVIDER", "google")),
        whisper_percent=percent("FF_WHISPER_ROLLOUT_PERCENT"),
        whisper_kill=_SWITCH[kill.lower()],
        shadow_percent=percent("FF_SHADOW_PERCENT") or 0,
        allow=call_list(given.get("FF_WHISPER_ALLOW", "").split(","), caller_hash=caller_hash),
        deny=call_list(given.get("FF_WHISPER_DENY", "").split(","), caller_hash=caller_hash),
        salt=given.get("FF_ROLLOUT_SALT", DEFAULT_SALT),
    )


def call_list(entries: Collection[str], *, caller_hash: CallerHash) -> CallList:
    """A list from entries such as `trunk:office`; empty ones are skipped.

    Raises:
        SettingsError: an entry of no known kind, or a value that cannot be.
    """
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for entry in (e.strip() for e in entries if e.strip()):
        kind, _, value = entry.partition(":")
        if kind not in _ENTRY_KINDS or not value.strip():
            kinds = ", ".join(f"{known}:..." for known in _ENTRY_KINDS)
            raise SettingsError(f"list entry {entry!r} refused", remedy=f"allowed: {kinds}")
        lists[_ENTRY_KINDS[kind]].append(value.strip())
    return _checked_list(lists, caller_hash)


def flags_from_json(data: bytes, *, caller_hash: CallerHash) -> Flags:
    """Flags from the text of a flag file.

    Raises:
        SettingsError: not JSON, half of it, an unknown key, or values that cannot be or do not add up.
    """
    try:
        document = json.loads(data, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the flags are not whole JSON ({error})", remedy="write them anew") from error
    values = _object("the flag file", document, _KEYS)
    number = values.get("version")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise SettingsError(
            f"flag version {number!r} refused", remedy="a whole number from 1, raised each time"
        )
    kill, salt = values.get("whisper_kill", False), values.get("salt", DEFAULT_SALT)
    if not isinstance(kill, bool):
        raise SettingsError(f"whisper_kill {kill!r} refused", remedy="true or false")
    if not isinstance(salt, str):
        raise SettingsError(f"salt {salt!r} refused", remedy="a text")
    percent = _whisper_weight(values["weights"]) if "weights" in values else None
    return Flags(
        default_provider=_provider("stt_provider", values.get("stt_provider", "google")),
        whisper_percent=percent,
        whisper_kill=kill,
        # Flags itself refuses what is no percentage, whatever JSON had in its place.
        shadow_percent=cast("int", values.get("shadow_percent", 0)),
        allow=_list_from("allow", values.get("allow", {}), caller_hash),
        deny=_list_from("deny", values.get("deny", {}), caller_hash),
        salt=salt,
        # Whoever raised the share by hand and left it there has ended it.
        rolled_back=None if percent else _rolled_back(values.get("rolled_back")),
        number=number,
    )


def _rolled_back(value: object) -> Rollback | None:
    if value is None:
        return None
    try:
        return rollback_from(_object("rolled_back", value, ("at", "reason", "from_percent", "flag_number")))
    except ValueError as error:
        raise SettingsError(
            f"rolled_back refused ({error})", remedy="take it out, or `slukh ab ramp`"
        ) from error


def _provider(key: str, value: object) -> Provider:
    for name in PROVIDERS:
        if value == name:
            return name
    raise SettingsError(f"{key}: unknown provider {value!r}", remedy=f"allowed: {', '.join(PROVIDERS)}")


def _whisper_weight(value: object) -> int:
    weights = _object("weights", value, PROVIDERS)
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= ALL:
            raise SettingsError(f"weight of {name} is {weight!r}", remedy="a whole number from 0 to 100")
    shares = {name: cast("int", weight) for name, weight in weights.items()}
    if (total := sum(shares.values())) != ALL:
        raise SettingsError(f"weights add up to {total}", remedy="make it 100")
    return shares.get("whisper", 0)


def _list_from(name: str, value: object, caller_hash: CallerHash) -> CallList:
    lists = _object(name, value, _LISTS)
    for kind, entries in lists.items():
        if not isinstance(entries, list) or not all(isinstance(e, str) and e.strip() for e in entries):
            raise SettingsError(f"{name}.{kind} refused", remedy="a list of texts")
    return _checked_list(cast("dict[str, list[str]]", lists), caller_hash)


def _checked_list(lists: Mapping[str, Collection[str]], caller_hash: CallerHash) -> CallList:
    return CallList(
        callers=frozenset(_caller(entry, caller_hash) for entry in lists.get("callers", ())),
        languages=frozenset(bcp_47(entry) for entry in lists.get("languages", ())),
        trunks=frozenset(entry.strip() for entry in lists.get("trunks", ())),
    )


def _caller(entry: str, caller_hash: CallerHash) -> str:
    text = entry.strip()
    if _IS_HASH.fullmatch(text):
        return text
    digits = sum(c.isdigit() for c in text)
    hashed = caller_hash(text) if digits <= _MAX_DIGITS else None
    if hashed is None or any(c.isalpha() for c in text):
        # The entry itself is not repeated: it may be somebody's number.
        raise SettingsError(
            "a caller on a list is neither a number nor its hash", remedy="up to 15 digits, or 16 hex digits"
        )
    return hashed


def _object(name: str, value: object, allowed: Collection[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SettingsError(f"{name} is {type(value).__name__}", remedy="a JSON object")
    for key in value:
        if key not in allowed:
            raise SettingsError(f"unknown key {key!r} in {name}", remedy=f"allowed: {', '.join(allowed)}")
    return value


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # json.loads takes the last of two equal keys: one of the two values would silently not be in force.
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return found
