"""Which recogniser a call gets: the values in force, and the rules over them.

The rules, first match wins:

| rule    | which calls                                    | get                  | reason               |
|---------|------------------------------------------------|----------------------|----------------------|
| kill    | all, while Whisper is killed                   | google               | `DISABLED`           |
| deny    | on the deny list                               | google               | `TARGETING_MATCH`    |
| allow   | on the allow list                              | whisper              | `TARGETING_MATCH`    |
| percent | the rest, while Whisper's share is 1..99 %     | by bucket            | `SPLIT`              |
| default | the rest                                       | the default provider | `STATIC`; `DEFAULT`  |
|         | (a share of 100 % makes whisper the default)   |                      | where there are lists |

Only calls of reason `SPLIT` were drawn by lot, on both sides: a comparison of the arms uses those. Both lists
are about Whisper: deny means never Whisper, allow means Whisper whatever the share.

A shadow (the same audio to the second recogniser, nothing published) is a draw of its own, under its own
salt, so that it takes from both arms alike. It would hear Whisper too, so kill and deny switch it off.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from slukh.errors import SettingsError
from slukh.routing import rollout
from slukh.routing.rollback import Rollback
from slukh.routing.rollout import ALL
from slukh.types import CallStarted

Provider = Literal["google", "whisper"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
# OpenFeature's words: https://openfeature.dev/specification/types#resolution-reason
Reason = Literal["DEFAULT", "DISABLED", "SPLIT", "STATIC", "TARGETING_MATCH"]

PROVIDER_FLAG = "stt_provider"
SHADOW_FLAG = "stt_shadow"
DEFAULT_SALT = "stt-1"
SHADOW_SALT_SUFFIX = "/shadow"
_IS_SALT = re.compile("[!-9;-~]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rule may look at.

    Attributes:
        targeting_key: what the draw sticks to, see `rollout.targeting_key`.
        caller: keyed hash of the number, or None when it is withheld.
        language_code: BCP-47, the call's first language.
        trunk: as the dial plan named it, or None.
    """

    targeting_key: str
    caller: str | None = None
    language_code: str | None = None
    trunk: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallList:
    """An allow or deny list; a call is on it when any one of its entries fits.

    Attributes:
        callers: keyed hashes of numbers. The numbers themselves are not kept.
        languages: BCP-47.
        trunks: as the dial plan names them.
    """

    callers: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    trunks: frozenset[str] = frozenset()

    def __contains__(self, call: Subject) -> bool:
        return (
            call.caller in self.callers or call.language_code in self.languages or call.trunk in self.trunks
        )

    def __bool__(self) -> bool:
        return bool(self.callers or self.languages or self.trunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The values in force, whole and consistent or refused.

    Attributes:
        default_provider: of every call that no other rule takes.
        whisper_percent: share of calls that Whisper gets while Google is the default; None is 0.
        whisper_kill: no call hears Whisper.
        shadow_percent: share of calls that the other provider hears as well.
        allow: calls that are Whisper's whatever the share.
        deny: calls that are never Whisper's; stronger than `allow`.
        salt: of the draw; another one draws every caller anew.
        rolled_back: why Whisper's share is 0, when a guardrail and no person decided so.
        number: the flag file's own, which may not go back; 0 when there is no file.
        version: `number`, a hyphen, and a hash of all the other values. It stands on every call's record.

    Raises:
        SettingsError: values that cannot be, or not together.
    """

    default_provider: Provider = "google"
    whisper_percent: int | None = None
    whisper_kill: bool = False
    shadow_percent: int = 0
    allow: CallList = field(default_factory=CallList)
    deny: CallList = field(default_factory=CallList)
    salt: str = DEFAULT_SALT
    rolled_back: Rollback | None = None
    number: int = 0
    version: str = field(init=False)

    def __post_init__(self) -> None:
        if self.default_provider not in PROVIDERS:
            raise SettingsError(
                f"unknown provider {self.default_provider!r}", remedy=f"allowed: {', '.join(PROVIDERS)}"
            )
        _refuse_no_percent("Whisper's rollout", 0 if self.whisper_percent is None else self.whisper_percent)
        _refuse_no_percent("the shadow's share", self.shadow_percent)
        if self.default_provider == "whisper" and self.whisper_percent is not None:
            raise SettingsError(
                f"a rollout of {self.whisper_percent} % to Whisper, while whisper has all calls",
                remedy="unset the rollout, or make google the default",
            )
        if _IS_SALT.fullmatch(self.salt) is None:
            raise SettingsError(
                f"salt {self.salt!r} refused", remedy="1 to 64 printable ASCII characters, no space, no colon"
            )
        object.__setattr__(self, "version", f"{self.number}-{_digest(self)}")

    @property
    def share(self) -> int:
        """Per cent of the calls on neither list that Whisper gets."""
        return ALL if self.default_provider == "whisper" else self.whisper_percent or 0

    @property
    def is_split(self) -> bool:
        """Whether a lot is drawn at all."""
        return 0 < self.share < ALL

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Every provider that a call can be given; each of these must be there at start."""
        if self.whisper_kill:
            return ("google",)
        given: dict[Provider, bool] = {
            "google": self.share < ALL or bool(self.deny),
            "whisper": self.share > 0 or bool(self.allow),
        }
        return tuple(name for name, is_given in given.items() if is_given)


def _is_drawn(flags: Flags, call: Subject) -> bool:
    return rollout.bucket(flags.salt, call.targeting_key) < rollout.threshold(flags.share)


def _is_shadowed(flags: Flags, call: Subject) -> bool:
    drawn = rollout.bucket(flags.salt + SHADOW_SALT_SUFFIX, call.targeting_key)
    return drawn < rollout.threshold(flags.shadow_percent)


class Choice(NamedTuple):
    """A variant, and why it is this one."""

    variant: str
    reason: Reason


RULES: tuple[tuple[Callable[[Flags, Subject], bool], Choice], ...] = (
    (lambda flags, _: flags.whisper_kill, Choice("google", "DISABLED")),
    (lambda flags, call: call in flags.deny, Choice("google", "TARGETING_MATCH")),
    (lambda flags, call: call in flags.allow, Choice("whisper", "TARGETING_MATCH")),
    (lambda flags, call: flags.is_split and _is_drawn(flags, call), Choice("whisper", "SPLIT")),
    (lambda flags, _: flags.is_split, Choice("google", "SPLIT")),
)

SHADOW_RULES: tuple[tuple[Callable[[Flags, Subject], bool], Choice], ...] = (
    (lambda flags, _: flags.whisper_kill, Choice("off", "DISABLED")),
    (lambda flags, _: flags.shadow_percent == 0, Choice("off", "STATIC")),
    (lambda flags, call: call in flags.deny, Choice("off", "TARGETING_MATCH")),
    (lambda flags, _: flags.shadow_percent == ALL, Choice("on", "STATIC")),
    (_is_shadowed, Choice("on", "SPLIT")),
)


def choose_provider(flags: Flags, call: Subject) -> Choice:
    """The recogniser of a call: its variant is a provider's name."""
    default: Provider = "whisper" if flags.share == ALL else "google"
    reason: Reason = "DEFAULT" if flags.allow or flags.deny else "STATIC"
    return _first(RULES, flags, call, Choice(default, reason))


def choose_shadow(flags: Flags, call: Subject) -> Choice:
    """Whether the other recogniser hears a call too: its variant is `on` or `off`."""
    return _first(SHADOW_RULES, flags, call, Choice("off", "SPLIT"))


def subject_of(call: CallStarted) -> Subject:
    """A call as the rules see it."""
    return Subject(
        targeting_key=rollout.targeting_key(call_id=call.call_id, caller=call.caller),
        caller=call.caller,
        language_code=call.language_code,
        trunk=call.trunk,
    )


def _first(
    rules: tuple[tuple[Callable[[Flags, Subject], bool], Choice], ...],
    flags: Flags,
    call: Subject,
    default: Choice,
) -> Choice:
    return next((choice for applies, choice in rules if applies(flags, call)), default)


def _refuse_no_percent(name: str, value: object) -> None:
    # bool is an int to Python: a share of `true` would be one per cent.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ALL:
        raise SettingsError(f"{name} is {value!r}", remedy="a whole number of per cent from 0 to 100")


def _digest(flags: Flags) -> str:
    values = [
        flags.default_provider, flags.share, flags.whisper_kill, flags.shadow_percent, flags.salt,
        *(sorted(entries) for calls in (flags.allow, flags.deny)
          for entries in (calls.callers, calls.languages, calls.trunks)),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
