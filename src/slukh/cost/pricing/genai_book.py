"""Prices out of genai-prices: data in the package, no network, exact decimals.

A book may leave language models to it. Its few speech models are only compared with ours: it has neither the
minimum nor the increments of a recogniser's request.

Its long-prompt prices are cliffs over the prompt tokens of one request, like ours. It knows dates only where
a change of price was entered with one; a price that was overwritten is in our own book.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import Any

from slukh.cost.pricing.price import BASIS_OF_UNIT, Price, PriceComponent, PriceUnit, Tier

# Their key of a unit, and how many of ours its amount buys.
_KEYS: dict[PriceUnit, tuple[str, int]] = {
    "input_tokens": ("input_mtok", 1_000_000),
    "output_tokens": ("output_mtok", 1_000_000),
    "cache_read_tokens": ("cache_read_mtok", 1_000_000),
    "cache_write_1h_tokens": ("cache_write_1h_mtok", 1_000_000),
    "cache_write_tokens": ("cache_write_mtok", 1_000_000),
    "audio_ms": ("audio_hours", 3_600_000),
    "characters": ("input_mchars", 1_000_000),
}
_COMPONENTS: dict[PriceUnit, PriceComponent] = {"audio_ms": "stt", "characters": "tts"}


def genai_version() -> str:
    """Of the data that prices come from."""
    return f"genai-prices {version('genai-prices')}"


def genai_price(provider: str, model: str, unit: PriceUnit, on: date) -> Price | None:
    """The price of a model's unit on a day, or None when genai-prices has none."""
    found = _model(provider, model)
    if found is None or unit not in _KEYS:
        return None
    # A change enters at 00:00 UTC of its day; the day's noon is after it in every zone that matters.
    prices = found.get_prices(datetime.combine(on, time(12), UTC))
    key, per = _KEYS[unit]
    value = getattr(prices, key)
    if value is None:
        return None
    tiers = getattr(value, "tiers", ())
    return Price(
        id=f"genai-prices/{provider}/{found.id}/{unit}",
        component=_COMPONENTS.get(unit, "llm"),
        provider=provider,
        models=(model,),
        unit=unit,
        per=per,
        amount=value if isinstance(value, Decimal) else value.base,
        cliff=tuple(Tier(over=tier.start, amount=tier.price) for tier in tiers),
        basis=BASIS_OF_UNIT[unit],
        effective_from=on,
        source=genai_version(),
        read_on=None,
        confidence="fact",
    )


def genai_models(provider: str) -> tuple[str, ...]:
    """Names of a provider's models that genai-prices knows."""
    from genai_prices.data_snapshot import get_snapshot

    return tuple(
        model.id for found in get_snapshot().providers if found.id == provider for model in found.models
    )


@cache
def _model(provider: str, model: str) -> Any:  # noqa: ANN401  # theirs, and importing it costs 0.3 s
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None
