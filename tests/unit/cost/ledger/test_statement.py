from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from slukh.cost.ledger.rated_rows import Total
from slukh.cost.ledger.reconcile import Comparison, compare
from slukh.cost.ledger.statement import Item, read_statement
from slukh.cost.pricing.price_book import PriceBook
from slukh.errors import StatementError

BOOK = PriceBook.load("market-2026-11")

GOOGLE = """\
Invoice number,1234567890
Invoice date,2026-11-30
Currency,USD
Currency exchange rate,1
Total amount due,"$1,002.50"
Billing account name,Billing account ID,Project name,Service description,Service ID,SKU description,SKU ID,\
Credit type,Cost type,Usage start date,Usage end date,Usage amount,Usage unit,Unrounded Cost ($),Cost ($)
Shop,0A-0B,voice,Cloud Speech-to-Text API,S1,Cloud Speech-to-Text Recognition,3099-B70F-0949,\
,Usage,2026-11-01,2026-11-30,"1,500",minute,24.000001,24.00
Shop,0A-0B,voice,Cloud Text-to-Speech API,S2,Chirp 3: HD Voices,ABCD-1234-5678,\
,Usage,2026-11-01,2026-11-30,10,count,0.3,0.30
Shop,0A-0B,voice,Compute Engine,S3,E2 Instance Core,EFGH,,Usage,2026-11-01,2026-11-30,720,hour,1000.00,1000.00
,,,,,,,,Rounding error,,,,,-0.000001,0.00
,,,,,,,,Total,,,,,1024.30,1024.30
"""
ANTHROPIC_COST = """\
usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type
2026-11-22,Claude Haiku 4.5,Default,shop,message,≤ 200k,input_no_cache,0.19,0.19,token
2026-11-22,Claude Haiku 4.5,Default,shop,message,≤ 200k,output,0.05,0.05,token
2026-11-22,Claude Haiku 4.5,Default,shop,message,≤ 200k,,0.01,0.01,web_search
"""
ANTHROPIC_USAGE = """\
usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,\
usage_output_tokens,web_search_count
2026-11-22,claude-haiku-4-5-20251001,shop,Default,standard,≤ 200k,100000,0,0,50000,5000,0
2026-11-22,claude-haiku-4-5-20251001,shop,Default,batch,≤ 200k,700000,0,0,0,9000,0
"""
CALLS = """\
calldate,src,dst,billsec,cost,currency
2026-11-22T10:00:00+00:00,380671234567,0441234567,90,0.015,USD
2026-11-22T11:00:00+00:00,380671234567,0441234567,61,0.0102,USD
"""


def statement(folder: Path, text: str, name: str = "bill.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def total(price_id: str, pico: int, **other: str) -> Total:
    given = {"component": "stt", "provider": "google", "model": "chirp_3", "unit": "audio_ms", **other}
    return Total(**given, price_id=price_id, lines=1, quantity=1, billed_quantity=1, amount_pico_usd=pico)


def by_sku(comparisons: tuple[Comparison, ...]) -> dict[str, Comparison]:
    return {found.sku: found for found in comparisons}


def test_googles_cost_table_is_read_without_its_totals_and_other_services(tmp_path: Path) -> None:
    read = read_statement(statement(tmp_path, GOOGLE))
    assert (read.format, read.others) == ("google-cost-table", 1)
    speech, voice = read.items
    assert (speech.component, speech.sku_id, speech.amount_usd) == (
        "stt", "3099-B70F-0949", Decimal("24.000001"),
    )  # fmt: skip
    assert (voice.component, voice.amount_usd) == ("tts", Decimal("0.3"))


def test_googles_days_are_those_of_los_angeles_and_the_last_one_counts(tmp_path: Path) -> None:
    read = read_statement(statement(tmp_path, GOOGLE))
    assert read.started_at == datetime(2026, 11, 1, 7, tzinfo=UTC)  # summer time until that day
    assert read.ended_at == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_a_sku_that_the_book_knows_meets_its_own_price_and_no_other(tmp_path: Path) -> None:
    found = by_sku(
        compare(
            read_statement(statement(tmp_path, GOOGLE)),
            [
                total("google-stt-v2", 24_000_000_000_000),
                total("google-tts-chirp3-hd", 300_000_000_000, component="tts", unit="characters"),
                total("claude-haiku-4-5/output_tokens", 5, component="llm", provider="anthropic"),
            ],
            BOOK,
        )
    )
    assert set(found) == {"Cloud Speech-to-Text Recognition", "Chirp 3: HD Voices"}
    speech = found["Cloud Speech-to-Text Recognition"]
    assert speech.difference_pico_usd == 1_000_000
    assert not speech.is_off


def test_what_was_metered_and_not_billed_is_off(tmp_path: Path) -> None:
    lines = [total("google-stt-v1", 7_000_000_000_000, provider="google")]
    found = by_sku(compare(read_statement(statement(tmp_path, GOOGLE)), lines, BOOK))
    assert found["chirp_3 audio_ms"].drift is None
    assert found["chirp_3 audio_ms"].is_off
    assert found["Cloud Speech-to-Text Recognition"].drift == 1  # billed, and nothing metered


def test_claudes_costs_are_compared_by_model_and_kind_of_token(tmp_path: Path) -> None:
    read = read_statement(statement(tmp_path, ANTHROPIC_COST))
    assert (read.format, read.others) == ("anthropic-cost", 1)
    dated = {"component": "llm", "provider": "anthropic", "model": "claude-haiku-4-5-20251001"}
    found = compare(
        read,
        [
            total("in", 190_000_000_000, unit="input_tokens", **dated),
            total("out", 40_000_000_000, unit="output_tokens", **dated),
        ],
        BOOK,
    )
    drifts = {comparison.sku: comparison.drift for comparison in found}
    assert drifts == {
        "Claude Haiku 4.5 input_no_cache": Decimal(0),
        "Claude Haiku 4.5 output": Decimal("0.2"),
    }


def test_claudes_tokens_are_rated_with_our_prices_and_batches_left_out(tmp_path: Path) -> None:
    read = read_statement(statement(tmp_path, ANTHROPIC_USAGE))
    assert (read.format, read.others) == ("anthropic-usage", 1)
    found = compare(read, [], BOOK)
    # 100,000 x $1 + 50,000 x $0.10 + 5,000 x $5 per million
    assert sum(comparison.invoiced_pico_usd for comparison in found) == 130_000_000_000


def test_a_days_tokens_are_no_long_prompt(tmp_path: Path) -> None:
    many = ANTHROPIC_USAGE.replace("claude-haiku-4-5-20251001", "claude-haiku-5-5").replace(
        "100000", "900000"
    )
    found = compare(read_statement(statement(tmp_path, many)), [], BOOK)
    inputs = next(comparison for comparison in found if comparison.sku.endswith("input_no_cache"))
    assert inputs.invoiced_pico_usd == 90_000_000_000  # $0.10 per million, not five times as much


def test_call_records_are_recognised_by_their_columns(tmp_path: Path) -> None:
    read = read_statement(statement(tmp_path, CALLS))
    assert (read.format, len(read.items)) == ("call-records", 2)
    assert read.started_at == datetime(2026, 11, 22, tzinfo=UTC)
    assert read.ended_at == datetime(2026, 11, 23, tzinfo=UTC)
    line = {"component": "line", "provider": "kyiv", "model": "", "unit": "call_ms"}
    (found,) = compare(read, [total("sip-inbound", 25_200_000_000, **line)], BOOK)
    assert found.provider == "*"
    assert found.drift == 0


def test_call_records_may_name_their_seconds_in_words(tmp_path: Path) -> None:
    named = CALLS.replace("calldate,", "date,").replace("billsec", "Billed seconds")
    assert len(read_statement(statement(tmp_path, named)).items) == 2


def test_an_adjustment_in_our_own_export_is_no_second_difference(tmp_path: Path) -> None:
    export = """\
BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,x_Component,x_PriceBook
0.5,USD,2026-11-22T10:00:00Z,2026-11-22T10:01:00Z,Usage,line,line,market-2026-11
0.1,USD,2026-11-22T00:00:00Z,2026-11-23T00:00:00Z,Adjustment,line,line,market-2026-11
0.2,USD,2026-11-22T00:00:00Z,2026-11-23T00:00:00Z,Adjustment,line,line,
"""
    read = read_statement(statement(tmp_path, export))
    assert [item.amount_usd for item in read.items] == [Decimal("0.5"), Decimal("0.2")]
    assert read.others == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "ends inside a line"),
        ("a,b\n1,2\n", r"line 1: no header that is known \(a, b\).*date, billsec, cost, currency"),
        (GOOGLE.replace("Currency,USD", "Currency,UAH"), r"line 7: amounts are in UAH.*convert"),
        (GOOGLE.replace("Currency,USD\n", ""), r"line 6: no currency.*keep the lines above"),
        (CALLS.replace("0.015,USD", "0.62,UAH"), r"line 2: amounts are in UAH"),
        (CALLS[:-1], r"line 3: the file ends inside a line.*download it again"),
        (CALLS[:-6] + "\n", r"line 3: 5 columns where the header has 6.*cut off"),
        (CALLS + '2026-11-22,"3806', r"ends inside a line"),
        (CALLS + '2026-11-22,"3806\n', r"line 4: unexpected end of data"),
        (CALLS.replace("0.015", "much"), r"line 2: 'much' is no number"),
        (CALLS.replace("0.015", "NaN"), r"line 2: 'NaN' is no amount"),
        (CALLS.replace("2026-11-22T10:00:00+00:00", "22/11/26"), r"line 2: '22/11/26' is no date"),
        (ANTHROPIC_USAGE.replace("100000", "-1"), r"line 2: -1 is no count"),
        (ANTHROPIC_COST.replace("model,", "model,model,").replace("22,C", "22,x,C"), "column model twice"),
    ],
)
def test_a_file_that_cannot_be_compared_is_refused_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(StatementError, match=problem) as refused:
        read_statement(statement(tmp_path, text))
    assert "bill.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_without_anything_of_ours_is_refused(tmp_path: Path) -> None:
    only_machines = "\n".join(line for line in GOOGLE.splitlines() if "Speech" not in line) + "\n"
    with pytest.raises(StatementError, match="no row of speech"):
        read_statement(statement(tmp_path, only_machines))


def test_tokens_without_a_price_are_refused_by_name(tmp_path: Path) -> None:
    path = statement(tmp_path, ANTHROPIC_USAGE.replace("claude-haiku-4-5", "claude-abacus-1"))
    with pytest.raises(StatementError, match=r"no price of llm anthropic claude-abacus-1"):
        compare(read_statement(path), [], BOOK)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StatementError, match="cannot read"):
        read_statement(tmp_path / "nothing.csv")


def test_items_know_no_money_that_the_file_does_not_say(tmp_path: Path) -> None:
    item: Item = read_statement(statement(tmp_path, ANTHROPIC_USAGE)).items[0]
    assert (item.amount_usd, item.quantity) == (None, 100_000)
