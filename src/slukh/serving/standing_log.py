"""One line of log when calls are kept away from a recogniser, and when they come back, with the reason."""

import logging
from collections.abc import Callable

from slukh.routing.breaker_store import Standing

logger = logging.getLogger(__name__)


class StandingLog:
    """Hears of every change of a breaker.

    One that stays open is half-open again every few seconds: that is said once, until the reason changes.

    Args:
        failure: what a provider failed with last, and what to do about it.
    """

    def __init__(self, failure: Callable[[str], str | None]) -> None:
        self._failure = failure
        self._said: dict[str, set[tuple[str, str | None]]] = {}

    def __call__(self, name: str, standing: Standing) -> None:
        """A provider stands otherwise than before."""
        reason = self._failure(name)
        said = self._said.setdefault(name, set())
        is_permanent = standing.state == "open" and standing.is_permanent
        what = "permanent" if is_permanent else standing.state
        level = {"permanent": logging.ERROR, "open": logging.WARNING}.get(what, logging.INFO)
        if (what, reason) in said:
            level = logging.DEBUG
        said.add((what, reason))
        if standing.state == "closed":
            said.clear()
        fields = {"provider": name, "state": standing.state, "reason": reason}
        logger.log(level, "recogniser_kept_away" if is_permanent else "recogniser_standing", extra=fields)
