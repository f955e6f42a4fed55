"""The guardrails of a gateway that runs: they follow its calls, and take Whisper's share back."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from slukh.errors import SettingsError
from slukh.experiment.evidence import GUARDRAIL, RampRow
from slukh.experiment.guardrails import Bounds, Breach, Guardrails
from slukh.experiment.live_turns import LiveTurns
from slukh.monitoring.metrics import Metrics
from slukh.routing.live_flags import LiveFlags
from slukh.routing.rollback import Rollback
from slukh.settings.guardrails import GuardrailSettings
from slukh.types import CallEvent

logger = logging.getLogger(__name__)


def bounds_of(settings: GuardrailSettings, *, final_seconds: float) -> Bounds:
    """What is asked of live calls.

    Args:
        settings: a person's.
        final_seconds: how long a final is waited for.
    """
    return Bounds(
        errors=settings.slukh_guardrail_errors_percent / 100,
        timeouts=settings.slukh_guardrail_timeouts_percent / 100,
        late=settings.slukh_guardrail_late_percent / 100,
        late_seconds=settings.slukh_guardrail_late_seconds,
        deadline_seconds=final_seconds,
        least_callers=settings.slukh_guardrail_calls,
        window_seconds=settings.slukh_guardrail_minutes * 60,
        silent_seconds=settings.slukh_guardrail_silent_minutes * 60,
    )


class Guard:
    """Sink and shell: running calls are left to the failover, the next ones go to Google.

    Args:
        flags: those in force.
        bounds: what is asked of live calls; None takes nothing back, and shows what another gateway did.
        metrics: told of a rollback, and whether one stands.
        record: keeps a change of the share beside those that people made.
        now: monotonic seconds.
    """

    def __init__(
        self,
        flags: LiveFlags,
        bounds: Bounds | None,
        metrics: Metrics,
        record: Callable[[RampRow], None],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flags = flags
        self._metrics = metrics
        self._record = record
        self._now = now
        self._is_on = bounds is not None
        self._guardrails = Guardrails(bounds)
        self._turns = LiveTurns(self._guardrails)
        self._version = flags.flags.version
        self._cannot: str | None = None  # the version of flags that cannot be rolled back

    def observe(self, event: CallEvent) -> None:
        """Take an event of a call."""
        if self._is_on:
            self._turns.observe(event, self._now())

    def look(self) -> None:
        """Decide; now and then, after the flags were looked at. Never raises."""
        try:
            self._look()
        except Exception:
            logger.exception("guard_defect")

    def _look(self) -> None:
        flags, now = self._flags.flags, self._now()
        self._metrics.rolled_back(flags.rolled_back is not None)
        if flags.version != self._version:
            # What was seen under another share, or before a person ramped again, says nothing of this one.
            self._version = flags.version
            self._guardrails.forget()
        self._turns.expire(now)
        if not self._is_on or not flags.whisper_percent or flags.whisper_kill:
            return
        breach = self._guardrails.look(now)
        if breach is not None and flags.version != self._cannot:
            self._roll_back(breach, flags.whisper_percent)

    def _roll_back(self, breach: Breach, percent: int) -> None:
        at, reason = datetime.now(UTC), f"{GUARDRAIL}{breach}"
        try:
            done = self._flags.roll_back(Rollback(at=at, reason=reason, from_percent=percent))
        except SettingsError as error:
            self._cannot = self._version
            logger.error("cannot_roll_back", extra={"reason": reason, "error": str(error)})  # noqa: TRY400
            return
        self._metrics.rollback(breach.guardrail)
        self._metrics.rolled_back(True)
        logger.error(
            "rolled_back",
            extra={"reason": reason, "guardrail": breach.guardrail, "callers": breach.callers,
                   "share": breach.share, "bound": breach.bound, "google": breach.google,
                   "from_percent": percent, "flag_version": self._flags.flags.version},
        )  # fmt: skip
        self._record(
            RampRow(
                decided_at=at, from_percent=percent, to_percent=0, decision="ROLL BACK", override=reason,
                flag_number=done.flag_number,
            )
        )  # fmt: skip
