import pytest

from slukh.dialog.numbers import TyreSize, digits, numbers, size_parts, tyre_size

SIZE = TyreSize(width=205, profile=55, rim=16)


@pytest.mark.parametrize(
    "said",
    [
        "205/55 R16",
        "205-55-16",
        "2055516",
        "розмір 20555, R16.",
        "2555 радиус 16",
        "нужны зимние шины 25 на 55 радиус 16.",
        "двісті п'ять на п'ятдесят п'ять, шістнадцятий радіус",
        "Двісті п\u2019ять п\u2019ятдесят п\u2019ять шістнадцять.",
        "двести пять пятьдесят пять шестнадцать",
        "мені треба 4 шини, двести пять на 55 на шестнадцать",
    ],
)
def test_a_size_is_heard_however_it_is_written(said: str) -> None:
    assert tyre_size(said) == SIZE


@pytest.mark.parametrize("said", ["", "шини", "205 на 55", "55 205 16", "сто тисяч"])
def test_what_is_no_size_is_none(said: str) -> None:
    assert tyre_size(said) is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("сто дев'яносто п'ять шістдесят п'ять п'ятнадцять", [195, 65, 15]),
        ("сто девяносто пять шестьдесят пять пятнадцать", [195, 65, 15]),
        ("двадцять два", [22]),
        ("два двадцять", [2, 20]),
        ("нуль один", [0, 1]),
        ("триста сорок сім", [347]),
        ("трьохсот сорока", [340]),
        ("стан замовлення, старий семінар, стоїть один друг", [1]),
        ("четыре тысячи", [4]),
    ],
)
def test_words_add_up_to_the_numbers_that_were_said(said: str, found: list[int]) -> None:
    assert numbers(said) == found


def test_a_number_said_in_parts_is_one_number() -> None:
    assert digits("сорок п'ять дванадцять") == "4512"
    assert digits("номер 45-12") == "4512"


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("0045", "0045"),
        ("номер 00-45", "0045"),
        ("нуль нуль сорок п'ять", "0045"),
        ("ноль сорок пять 07", "04507"),
        ("0671234567", "0671234567"),
        ("067 123 45 07", "0671234507"),
    ],
)
def test_a_number_keeps_the_zeros_in_front(said: str, number: str) -> None:
    assert digits(said) == number


def test_a_number_without_end_is_no_harm() -> None:
    assert len(str(numbers("9" * 10_000)[0])) == 9
    assert len(digits("9" * 10_000)) == 20


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("на 55, радіус 16", {"profile": 55, "rim": 16}),
        ("двести пять", {"width": 205}),
        ("радиус семнадцать, ширина 215", {"width": 215, "rim": 17}),
        ("20555", {"width": 205, "profile": 55}),
        ("6017", {"profile": 60, "rim": 17}),
        ("206 на 57, радіус 40", {"profile": 40}),
        ("55, ні, 60, радіус 16", {"rim": 16}),
        ("зимові, 4 штуки", {}),
    ],
)
def test_what_a_text_holds_of_a_size_is_known_in_any_order(said: str, parts: dict[str, int]) -> None:
    assert size_parts(said) == parts
