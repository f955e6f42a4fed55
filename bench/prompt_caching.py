"""What prompt caching makes of a call with tools, against the formula: `python bench/prompt_caching.py`.

`ClaudeDialog` with the tools of examples/dialog talks to a local Messages API that caches as Anthropic's does
(breakpoints, a shortest prefix, 20 blocks back): ten turns, a tool in each of the second, fourth, sixth and
eighth, so fourteen requests. The formula, for prompts of P_1 ... P_T tokens:

    none    uncached = P_1 + ... + P_T
    cold    written = P_T, read = P_1 + ... + P_(T-1), uncached = 0
    warm    the prefix S, which another call has left: written = P_T - S, read = S + P_1 + ... + P_(T-1)

A token is four characters of the prompt's JSON here, so prompts are not as long as Claude would count them;
which bucket they fall into does not depend on that. Dollars are of 1000 such calls, by market-2026-11.

    --json   the numbers, for a machine
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from slukh.cost.pricing.llm_tokens import Request, TokenBuckets, buckets
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.rating import rate
from slukh.dialog.base import CallerSaid
from slukh.dialog.claude import ClaudeDialog, ClaudeRules
from slukh.dialog.claude_lines import PERSONA
from slukh.dialog.tools import tools_in
from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer, Calls, Speaks
from slukh.types import TOKEN_UNITS, UNITS_PER_REQUEST, CallStarted, ModelAnswered, ModelUnanswered, Usage

TOOLS = Path(__file__).parents[1] / "examples" / "dialog" / "tools.py"
TURNS, TOOL_TURNS = 10, (2, 4, 6, 8)
HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-5"
# What a shop tells its agent: opening hours, addresses, prices; here as long as Haiku 4.5 wants it.
LONG = PERSONA + "\n".join(
    f"\nШини {width}/{profile} R16: літні {width * 14} грн, зимові {width * 15} грн, монтаж 400 грн."
    for width in range(135, 325, 5)
    for profile in (45, 50, 55, 60, 65, 70)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A call: what was measured, and what the formula makes of the same prompts."""

    prompt: str
    model: str
    start: str
    prefix_tokens: int
    measured: TokenBuckets
    formula: TokenBuckets
    none_usd: Decimal
    measured_usd: Decimal


def answers() -> list[Answer]:
    """Of one call: a tool first in some turns."""
    price = {"width": 205, "profile": 55, "rim": 16, "season": "winter"}
    found: list[Answer] = []
    for turn in range(1, TURNS + 1):
        if turn in TOOL_TURNS:
            found.append(Calls("tyre_price", price, "Хвилинку, я подивлюся. "))
        found.append(Speaks(f"Так, є в наявності, {turn} комплекти по 3200 гривень. Записати вас?"))
    return found


async def calls(persona: str, model: str, minimum: int) -> list[list[ModelAnswered]]:
    """Two calls in a row; the second finds what the first has left."""
    used: list[list[ModelAnswered]] = []
    async with AnthropicServer(answers() * 2, least_cached_tokens=minimum) as server:
        rules = ClaudeRules(model=model, persona=persona, longest_history=1_000_000)
        dialog = ClaudeDialog(rules, tools_in(TOOLS), api_key=KEY, base_url=server.url)
        for number in range(2):
            used.append([])

            def told(event: ModelAnswered | ModelUnanswered, own: list[ModelAnswered] = used[-1]) -> None:
                assert isinstance(event, ModelAnswered)
                own.append(event)

            talk = dialog.converse(CallStarted(call_id=str(number), language_code="uk-UA"), told)
            async for _ in talk.greet():
                pass
            for turn in range(TURNS):
                text = (
                    f"Дзвінок {number}: а скільки коштують зимові, двісті п'ять на п'ятдесят п'ять, {turn}?"
                )
                async for _ in talk.answer(CallerSaid(text=text, language_code="uk-UA")):
                    pass
        await dialog.aclose()
    return used


def usd(model: str, requests: Sequence[TokenBuckets], book: PriceBook) -> Decimal:
    """Dollars of a thousand such calls."""
    rows = [
        Usage(
            call_id="c", leg=1, component="llm", sequence=number * UNITS_PER_REQUEST + index,
            provider="anthropic", model=model, unit=unit, quantity=getattr(tokens, unit), outcome="ok",
            occurred_at=datetime.now(UTC),
        )
        for number, tokens in enumerate(requests)
        for index, unit in enumerate(TOKEN_UNITS)
    ]  # fmt: skip
    return 1000 * sum((line.amount_usd for line in rate(rows, book)), Decimal(0))


def row_of(prompt: str, model: str, start: str, used: list[ModelAnswered], book: PriceBook) -> Row:
    """One call beside the formula."""
    minimum = book.minimum_prefix_tokens("anthropic", model, datetime.now(UTC).date()) or 0
    measured = [
        TokenBuckets(
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cache_read_tokens=one.cache_read_tokens,
            cache_write_tokens=one.cache_write_tokens,
        )
        for one in used
    ]
    asked = tuple(
        Request(prompt_tokens=one.prompt_tokens, output_tokens=one.output_tokens) for one in measured
    )
    prefix = measured[0].cache_read_tokens
    formula = buckets(
        asked, caching="moving", prefix_tokens=prefix, warm=bool(prefix), minimum_prefix_tokens=minimum
    )
    none = buckets(asked, caching="none", prefix_tokens=0)
    return Row(
        prompt=prompt,
        model=model,
        start=start,
        prefix_tokens=prefix,
        measured=sum(measured, TokenBuckets()),
        formula=sum(formula, TokenBuckets()),
        none_usd=usd(model, none, book),
        measured_usd=usd(model, measured, book),
    )


async def rows() -> list[Row]:
    """The example as it ships and with a long prompt, on a model with a long minimum and a short one."""
    book = PriceBook.load("market-2026-11")
    found: list[Row] = []
    for prompt, persona in (("as it ships", PERSONA), ("with a price list", LONG)):
        for model in (HAIKU, SONNET):
            minimum = book.minimum_prefix_tokens("anthropic", model, datetime.now(UTC).date()) or 0
            both = await calls(persona, model, minimum)
            found += [
                row_of(prompt, model, start, used, book)
                for start, used in zip(("cold", "warm"), both, strict=True)
            ]
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(rows())
    if given.json:
        print(json.dumps([asdict(row) for row in found], default=str))
        return
    table = Table("prompt", "model", "start", "uncached", "read", "written", "formula", "$ none", "$ cached")
    for row in found:
        one, other = row.measured, row.formula
        same = "the same" if one == other else f"{other.cache_read_tokens:,} read"
        table.add_row(
            row.prompt,
            row.model,
            row.start,
            *(f"{n:,}" for n in (one.input_tokens, one.cache_read_tokens, one.cache_write_tokens)),
            same,
            f"{row.none_usd:.2f}",
            f"{row.measured_usd:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
