"""Who hears a call, and who takes over: the flag's arm, then its backups, less those that are forbidden."""

from collections.abc import Callable
from dataclasses import dataclass

from slukh.errors import SettingsError
from slukh.routing import rollout
from slukh.routing.flag_provider import CallFlags
from slukh.routing.flags import PROVIDERS, Flags
from slukh.types import CallStarted, FlagDecision

_CLOUD = ("google",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who hears a call.

    Attributes:
        arm: the provider that the rollout chose; failover does not change it.
        chain: who is asked, in this order.
        decision: of the flag, or None where none was asked.
        shadow: the other provider, when it hears the call too without a word of it being published.
        shadow_decision: of that flag, or None where it was not asked.
    """

    arm: str
    chain: tuple[str, ...]
    decision: FlagDecision | None = None
    shadow: str | None = None
    shadow_decision: FlagDecision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRules:
    """Who takes over.

    Attributes:
        fallback: in this order; empty is every other provider that the flags give calls to.
        audio_to_cloud: whether audio may leave for Google.

    Raises:
        SettingsError: an unknown provider.
    """

    fallback: tuple[str, ...] = ()
    audio_to_cloud: bool = True

    def __post_init__(self) -> None:
        for name in self.fallback:
            if name not in PROVIDERS:
                raise SettingsError(
                    f"SLUKH_STT_FALLBACK names {name!r}", remedy=f"allowed: {', '.join(PROVIDERS)}"
                )

    def chain(self, flags: Flags, arm: str) -> tuple[str, ...]:
        """Who is asked for a call of an arm. Raises SettingsError when nobody may be."""
        forbidden = {"whisper": "the kill switch"} if flags.whisper_kill else {}
        if not self.audio_to_cloud:
            forbidden |= dict.fromkeys(_CLOUD, "SLUKH_AUDIO_TO_CLOUD=false")
        return rollout.chain(arm, backups=self.fallback or flags.providers, forbidden=forbidden)

    def providers(self, flags: Flags) -> tuple[str, ...]:
        """Everybody who may hear a call under these flags.

        Raises:
            SettingsError: an arm has no recogniser that is allowed, or no backup but itself.
        """
        found: dict[str, None] = {}
        for arm in flags.providers:
            if set(self.fallback) == {arm}:
                raise SettingsError(
                    f"SLUKH_STT_FALLBACK={arm} makes {arm} its own backup",
                    remedy="name another one, or unset it",
                )
            found |= dict.fromkeys(self.chain(flags, arm))
        if flags.shadow_percent:
            found |= dict.fromkeys(filter(None, (self.shadow(arm) for arm in flags.providers)))
        return tuple(found)

    def shadow(self, arm: str) -> str | None:
        """Who may hear the calls of an arm beside it; None when the audio must not go there."""
        other = next(name for name in PROVIDERS if name != arm)
        return None if other in _CLOUD and not self.audio_to_cloud else other


class Chooser:
    """Asks the flags, once per call.

    Args:
        flags: the values in force.
        rules: who takes over.
    """

    def __init__(self, flags: Callable[[], Flags], rules: BackupRules) -> None:
        self._flags = flags
        self._rules = rules
        self._asked = CallFlags(flags)

    def assign(self, call: CallStarted) -> Assignment:
        """The recognisers of a call, and the decision behind them."""
        decision = self._asked.decide(call)
        chain = self._rules.chain(self._flags(), decision.value)
        shadow_decision = self._asked.decide_shadow(call)
        return Assignment(
            arm=decision.value,
            chain=chain,
            decision=decision,
            shadow=self._rules.shadow(decision.value) if shadow_decision.value == "true" else None,
            shadow_decision=shadow_decision,
        )

    def close(self) -> None:
        """Leave OpenFeature's registry."""
        self._asked.close()
