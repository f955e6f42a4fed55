"""What hearing a manifest costs with a recogniser, by the price book: what was sent, request by request."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal

from slukh.cost.meter import ATTEMPTS_PER_UTTERANCE
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate
from slukh.errors import PriceError
from slukh.experiment.evaluation import Heard
from slukh.types import Usage

OWN_MACHINE = "whisper"  # as price books call it
_NO_PRICE_PER_SECOND = "own machine, no price per second"
_STAND_IN = "a stand-in, has no price"
_NOT_KEPT = "texts kept by an earlier version do not say what was sent; hear again with another --results"
_NOTHING_HEARD = "nothing was heard"


def hearing_cost(
    heard: Iterable[Heard], *, payee: str, book: PriceBook, on: date, is_stand_in: bool
) -> dict[str, object]:
    """Dollars for all of it as plain JSON values, money as text; None with its reason where it is not known.

    An Attempt is a request, so a started increment is paid for each; the month's tiers begin with the first.

    Args:
        heard: what it made of the recordings.
        payee: who is paid for it, as price books name it.
        book: the prices.
        on: the day whose prices hold.
        is_stand_in: something else heard in its place.
    """
    members = list(heard)
    requests = [request for one in members for request in one.requests or ()]
    audio_seconds = sum(one.audio_seconds for one in members)
    is_known = all(one.requests is not None for one in members)
    found: dict[str, object] = {
        "usd": None,
        "usd_per_audio_hour": None,
        "reason": None,
        "requests": len(requests) if is_known else None,
        "sent_seconds": sum(request.sent_ms for request in requests) / 1000 if is_known else None,
        "billed_seconds": None,
        "price_book": book.name,
        "on": on.isoformat(),
    }
    if is_stand_in:
        return found | {"reason": _STAND_IN}
    if not audio_seconds:
        return found | {"reason": _NOTHING_HEARD}
    if not is_known:
        return found | {"reason": _NOT_KEPT}
    try:
        lines = rate(_usage(members, payee, on), book)
    except PriceError as error:
        return found | {"reason": error.problem}
    usd = sum((line.amount_usd for line in lines), Decimal(0))
    if payee == OWN_MACHINE and not usd:  # a zero in a book says who is not paid, not what hearing costs
        return found | {"reason": _NO_PRICE_PER_SECOND}
    return found | {
        "usd": f"{usd:.6f}",
        "usd_per_audio_hour": f"{usd * 3600 / Decimal(audio_seconds):.6f}",
        "billed_seconds": sum(line.billed_quantity for line in lines) / 1000,
    }


def _usage(heard: Iterable[Heard], payee: str, on: date) -> list[Usage]:
    """Its requests as a ledger would have them, each an utterance of its own."""
    noon = datetime.combine(on, time(12), tzinfo=UTC)
    return [
        Usage(
            call_id=str(recording),
            leg=1,
            component="stt",
            sequence=number * ATTEMPTS_PER_UTTERANCE + 1,
            provider=payee,
            model=one.model,
            unit="audio_ms",
            quantity=request.sent_ms,
            reported_quantity=request.reported_ms,
            outcome=request.outcome,
            occurred_at=noon,
        )
        for recording, one in enumerate(heard)
        for number, request in enumerate(one.requests or (), start=1)
    ]
