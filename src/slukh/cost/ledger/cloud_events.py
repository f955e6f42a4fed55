"""Rated lines as CloudEvents 1.0 in JSON, one a line: for OpenMeter and others that meter events.

`source` and `id` are together the idempotency key that the ledger has, so an export may be sent twice.
"""

from slukh.cost.ledger.rated_rows import StoredLine


def cloud_event(line: StoredLine) -> dict[str, object]:
    """A line as an event; money as a decimal string."""
    return {
        "specversion": "1.0",
        "id": f"{line.call_id}:{line.leg}:{line.component}:{line.sequence}",
        "source": f"/{line.component}/{line.provider}/{line.model}".rstrip("/"),
        "type": f"slukh.usage.{line.component}.v1",
        "time": line.occurred_at.isoformat(),
        "subject": line.call_id,
        "datacontenttype": "application/json",
        "data": {
            "provider": line.provider,
            "model": line.model,
            "unit": line.unit,
            "quantity": line.quantity,
            "billed_quantity": line.billed_quantity,
            "purpose": line.purpose,
            "outcome": line.outcome,
            "amount_usd": f"{line.amount_usd:f}",
            "price_id": line.price_id,
            "price_book": line.book,
            "rule": line.rule,
        },
    }
