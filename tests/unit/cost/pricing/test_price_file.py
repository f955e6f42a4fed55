"""Price books as YAML: each mistake is refused with file, line and remedy."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.cost.pricing.price import Tier
from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.price_file import SHIPPED, parse_book, read_book
from slukh.errors import PriceError

ENTRY = """\
  - id: {id}
    component: stt
    provider: google
    unit: audio_ms
    per: 60_000
    amount: "0.016"
    effective_from: {day}
    source: https://example.com/prices
    read_on: 2026-11-01
    confidence: fact
"""


def book(*entries: str, head: str = "book: mine") -> str:
    return f"{head}\nprices:\n" + "".join(entries)


def entry(name: str = "one", day: str = "2026-01-01", **changes: str) -> str:
    """`ENTRY` with lines changed, added, or taken out (empty)."""
    lines = ENTRY.format(id=name, day=day)
    for field, value in changes.items():
        old = next((line for line in lines.splitlines() if line.strip().startswith(f"{field}:")), None)
        new = f"    {field}: {value}" if value else ""
        lines = lines.replace(f"{old}\n", f"{new}\n" if new else "") if old else f"{lines}{new}\n"
    return lines


def refusal(text: str) -> str:
    with pytest.raises(PriceError) as refused:
        parse_book(text, file="mine.yaml")
    return str(refused.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_book_loads(name: str) -> None:
    assert read_book(name).name == name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": '"-0.016"'}, "mine.yaml:8: `prices.amount`: -0.016 is no amount; a price is 0 or more"),
        ({"amount": "-1"}, "mine.yaml:8: `prices.amount`: -1 is no amount; a price is 0 or more"),
        ({"amount": "0.016"},
         'mine.yaml:8: 0.016 is a float, which YAML may round: write it in quotes: "0.016"'),
        ({"amount": '"cheap"'}, "mine.yaml:8: `prices.amount`: 'cheap' is no number"),
        ({"amount": '"NaN"'}, "mine.yaml:8: `prices.amount`: NaN is no amount"),
        ({"amount": '"1e400"'}, "mine.yaml:8: `prices.amount`: 1e400 is no amount; a price is below 1,000"),
        ({"amount": "true"}, "mine.yaml:8: `prices.amount` cannot be True"),
        ({"unit": "minutes"}, "mine.yaml:6: `prices.unit` cannot be 'minutes': use 'audio_ms', 'call_ms'"),
        ({"unit": "characters"}, "mine.yaml:6: stt is not counted in characters: use one of audio_ms, "),
        ({"component": "fax"}, "mine.yaml:4: `prices.component` cannot be 'fax': use 'stt', 'tts', 'llm'"),
        ({"source": ""}, "mine.yaml:3: `prices.source` is missing: add it"),
        ({"source": '""'}, "mine.yaml:10: `prices.source` cannot be '': String should have at least 1"),
        ({"read_on": ""}, "mine.yaml:3: `prices.read_on` is missing: add it"),
        ({"effective_from": "tomorrow"}, "mine.yaml:9: `prices.effective_from` cannot be 'tomorrow'"),
        ({"increments": "15_000"},
         "mine.yaml:13: `prices.increments` is no field of a price book: correct its name or take it out"),
        ({"increment": "0"}, "mine.yaml:13: `prices.increment` cannot be 0: Input should be greater than 0"),
        ({"per": '"60000"'}, "mine.yaml:7: `prices.per` cannot be '60000'"),
        ({"currency": "usd"}, "mine.yaml:13: `prices.currency` cannot be 'usd'"),
        ({"confidence": "certain"}, "mine.yaml:12: `prices.confidence` cannot be 'certain': use 'fact' or"),
        ({"basis": "connection_time"},
         "mine.yaml:13: audio_ms measures audio_sent, not connection_time: change the unit or the basis"),
        ({"effective_to": "2025-12-31"}, "mine.yaml:13: one ends before it begins: correct one of the days"),
        ({"minimum": "1_000", "initial": "1_000"}, "mine.yaml:13: both `initial` and `minimum`: keep"),
        ({"graduated": '[{over: 9, amount: "1"}, {over: 9, amount: "2"}]'},
         "mine.yaml:13: `over` does not rise in graduated: write tiers from low to high"),
        ({"cliff": '[{over: 9, amount: "1"}]'}, "mine.yaml:13: stt has no prompts to have a cliff"),
        ({"amount": ""}, "mine.yaml:3: one has no price: give `unit` and `amount`, or `amounts` by unit"),
        ({"known_differences": "{call_ms: why}"}, "mine.yaml:13: one has no call_ms: take it out of there"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_entry_is_refused(changes: dict[str, str], said: str) -> None:
    assert refusal(book(entry(**changes))).startswith(said)


def test_one_id_twice_is_refused() -> None:
    assert refusal(book(entry(), entry(day="2026-02-01"))) == (
        "mine.yaml:13: one is there already, in line 3: "
        "the book only grows: give a new entry its own id and day"
    )


def test_two_prices_for_one_day_are_refused() -> None:
    assert refusal(book(entry("one"), entry("two"))) == (
        "mine.yaml:13: two begins on 2026-01-01, when one of the same key holds: "
        "begin after 2026-01-01, or end the other one before"
    )
    until = entry("one", effective_to="2026-03-31")
    assert "mine.yaml:14: two begins on 2026-03-31" in refusal(book(until, entry("two", day="2026-03-31")))


def test_a_pattern_that_two_entries_share_overlaps() -> None:
    text = book(entry("one", models="[chirp_2, chirp_3]"), entry("two", models="[chirp_3]"))
    assert "two begins on 2026-01-01, when one of the same key holds" in refusal(text)


def test_one_field_twice_is_refused() -> None:
    assert refusal(book(entry() + '    amount: "1"\n')) == (
        "mine.yaml:13: `amount` stands there twice: keep one of them"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("book: [", "mine.yaml:1: no YAML: "),
        ("book: mine\nprices:\n  - models: [*]\n", "mine.yaml:3: no YAML: "),
        ("", "mine.yaml:1: `the file` cannot be None"),
        ("- 1\n", "mine.yaml:1: `the file` cannot be [1]"),
        ("book: mine\nprices: &loop\n  - *loop\n", "mine.yaml:2: an alias stands for a list or a mapping"),
        ("book: \x00", "mine.yaml: no YAML: "),
        (book(entry(), head="book: mine\nextend: other"), "mine.yaml:2: `extend` is no field"),
        ("book: mine\nrates:\n  - {currency: UAH, per_usd: 0}\n", "mine.yaml:3: `rates.per_usd` cannot be 0"),
    ],
    ids=str,
)
def test_a_file_that_is_no_book_is_refused(text: str, said: str) -> None:
    assert refusal(text).startswith(said)


def test_a_cliff_has_an_amount_for_every_unit() -> None:
    text = """
book: mine
prices:
  - id: model
    component: llm
    provider: anthropic
    amounts: {input_tokens: "3", output_tokens: "15"}
    cliff: [{over: 100_000, amounts: {input_tokens: "6"}}]
    effective_from: 2026-01-01
    source: x
    read_on: 2026-01-01
    confidence: fact
"""
    assert refusal(text).startswith("mine.yaml:8: the cliff has no amount of output_tokens")


def test_a_missing_book_names_the_ones_there_are(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="name a YAML file, or one of seed-reference, market-2026-11"):
        read_book(tmp_path / "none.yaml")


def test_an_entry_means_what_it_says() -> None:
    [price] = parse_book(
        book(entry(graduated='[{over: 60_000, amount: "0.010"}]', increment="15_000")), file="mine.yaml"
    ).prices
    assert (price.amount, price.per, price.increment) == (Decimal("0.016"), 60_000, 15_000)
    assert price.graduated == (Tier(over=60_000, amount=Decimal("0.010")),)
    assert price.basis == "audio_sent"


def test_a_book_extends_another_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(book(entry("base")), encoding="utf-8")
    own = book(entry("own", day="2026-06-01", amount='"0.5"'), head="book: own\nextends: base.yaml")
    (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
    loaded = PriceBook.load(tmp_path / "own.yaml")
    found = [loaded.price("stt", "google", "long", "audio_ms", on=date(2026, m, 1)).id for m in (5, 6)]
    assert found == ["base", "own"]


def test_a_book_cannot_extend_itself(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(book(entry(), head="book: own\nextends: own.yaml"), encoding="utf-8")
    with pytest.raises(PriceError, match="extends itself"):
        PriceBook.load(path)
