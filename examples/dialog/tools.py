"""Tools for Claude: SLUKH_DIALOG=claude SLUKH_CLAUDE_TOOLS=examples/dialog/tools.py; yours ask your shop."""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

ORDERS = {"4512": "готове до видачі", "4513": "у дорозі, буде завтра"}
PRICES = {("205/55 R16", "winter"): 3200, ("205/55 R16", "summer"): 2900}


def order_status(number: str) -> str:
    """The state of an order. `number` has four digits; have the caller confirm it first."""
    return ORDERS.get(number, "такого замовлення немає")


def tyre_price(width: int, profile: int, rim: int, season: str) -> str:
    """The price of one tyre in hryvnias. `season` is winter, summer or all."""
    price = PRICES.get((f"{width}/{profile} R{rim}", season))
    return "немає на складі" if price is None else f"{price} грн"


TOOLS = [order_status, tyre_price]
