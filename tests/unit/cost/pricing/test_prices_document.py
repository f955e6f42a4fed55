"""doc/prices.md says what is so: its example loads, and it names every field."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from slukh.cost.pricing.price_book import PriceBook
from slukh.cost.pricing.price_file import SHIPPED
from slukh.cost.pricing.price_schema import PriceEntry

TEXT = (Path(__file__).parents[4] / "doc" / "prices.md").read_text(encoding="utf-8")


def test_the_example_is_a_book(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    path = tmp_path / "my-shop.yaml"
    path.write_text(example, encoding="utf-8")
    book = PriceBook.load(path)
    assert book.price("line", "kyiv-trunk", "", "call_ms", on=date(2026, 11, 22)).amount == Decimal("0.43")
    assert book.monthly("server", date(2026, 11, 22)).currency == "EUR"


def test_every_field_is_explained() -> None:
    fields = TEXT[TEXT.index("## Fields") : TEXT.index("## How a bill")]
    assert {name for name in PriceEntry.model_fields if f"`{name}`" not in fields} == set()


def test_every_shipped_book_is_named() -> None:
    assert all(f"`{name}`" in TEXT for name in SHIPPED)
