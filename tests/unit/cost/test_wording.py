from datetime import date
from decimal import Decimal
from string import Formatter

import pytest

from slukh.cost.wording import _DECIMALS, LANGUAGES, Fact, Wording, wording

# Words for what others call things; a name without one is shown as it is.
MAY_DIFFER = ("unit.", "source.")
EN, RU = wording("en"), wording("ru")


def written(words: Wording, fact: Fact, how: str = "") -> str:
    """With plain spaces."""
    return words.write(fact, how).replace("\N{NO-BREAK SPACE}", " ")


def facts_of(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_both_catalogues_say_the_same_things() -> None:
    keys = {
        language: {key for key in wording(language).templates if not key.startswith(MAY_DIFFER)}
        for language in LANGUAGES
    }
    assert keys["en"] == keys["ru"]


@pytest.mark.parametrize("key", [key for key in EN.templates if not key.startswith(MAY_DIFFER)])
def test_a_sentence_tells_the_same_facts_in_both_languages(key: str) -> None:
    assert facts_of(EN.templates[key]) == facts_of(RU.templates[key])


@pytest.mark.parametrize("words", [EN, RU], ids=LANGUAGES)
def test_every_fact_is_written_in_a_way_that_exists(words: Wording) -> None:
    groups = {key.rpartition(".")[0] for key in words.templates}
    for key, template in words.templates.items():
        for how in (how for _, name, how, _ in Formatter().parse(template) if name):
            kind, _, rest = (how or "").partition(" ")
            known = kind in {"", "day", *_DECIMALS} or (kind in {"as", "label"} and rest in groups)
            forms = 2 if words is EN else 3
            assert known or (kind == "plural" and rest.count("|") == forms - 1), (key, how)


@pytest.mark.parametrize(
    ("fact", "how", "english", "russian"),
    [
        (Decimal("1234.5"), "usd", "$1,234.50", "1 234,50 $"),
        (Decimal("-0.02534"), "usd4", "−$0.0253", "−0,0253 $"),
        (Decimal("-0.00001"), "usd4", "$0.0000", "0,0000 $"),
        (Decimal("24344.85"), "uah0", "UAH 24,345", "24 345 грн"),
        (0.2754, "percent", "28%", "28 %"),
        (0.125, "percent1", "12.5%", "12,5 %"),
        (15000, "count", "15,000", "15 000"),
        (Decimal("0.30"), "", "0.3", "0,3"),
        (Decimal(120), "", "120", "120"),
        (date(2026, 11, 26), "day", "26 November 2026", "26 ноября 2026 г."),
        ("chirp_3", "", "chirp_3", "chirp_3"),
    ],
)
def test_a_number_is_written_as_the_language_does(fact: Fact, how: str, english: str, russian: str) -> None:
    assert (written(EN, fact, how), written(RU, fact, how)) == (english, russian)


@pytest.mark.parametrize(
    ("number", "english", "russian"),
    [(1, "call", "звонок"), (2, "calls", "звонка"), (5, "calls", "звонков"), (11, "calls", "звонков"),
     (21, "calls", "звонок"), (12, "calls", "звонков"), (104, "calls", "звонка"), (0, "calls", "звонков")],
)  # fmt: skip
def test_a_noun_agrees_with_its_number(number: int, english: str, russian: str) -> None:
    assert EN.write(number, "plural call|calls") == english
    assert RU.write(number, "plural звонок|звонка|звонков") == russian


def test_a_fact_may_be_a_word_of_the_catalogue() -> None:
    words = Wording("en", {"kept": "kept for {lifetime:as lifetime}", "lifetime.1h": "{hours} hour"})
    assert words.say("kept", lifetime="1h", hours=1) == "kept for 1 hour"


def test_a_sentence_without_its_fact_is_an_error() -> None:
    with pytest.raises(LookupError):
        EN.say("report.title.none")
    with pytest.raises(LookupError):
        EN.say("row.per-call-gross")


def test_what_has_no_word_keeps_its_name() -> None:
    assert EN.label("machine", "gpu-of-ours") == "gpu-of-ours"
    assert RU.label("unit", "1M characters") == "1 млн знаков"
