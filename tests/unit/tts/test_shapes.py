import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.tts.phrases import Templates
from slukh.tts.shapes import head_of, shape_of


@pytest.mark.parametrize(
    ("sentence", "shape"),
    [
        ("Ваше замовлення 4512 готове.", "Ваше замовлення {n} готове."),
        ("Ціна 3 200 грн до 5 березня.", "Ціна {n} грн до {n} {month}."),
        ("Розмір 205/55 R16, так?", "Розмір {n}, так?"),
        ("Футболка «XL», 2 штуки.", "Футболка «{size}», {n} штуки."),
        ("Заказ №4512 будет 5 мая.", "Заказ {n} будет {n} {month}."),
        ("Добрий день!", None),
        ("Уже {n} готове 5.", None),
    ],
)
def test_the_shape_of_a_sentence_has_holes_for_what_varies(sentence: str, shape: str | None) -> None:
    assert shape_of(sentence) == shape


@given(st.text(alphabet="аб 0123456789.,«»{}\n", max_size=80))
def test_no_digit_is_left_in_a_shape_and_its_shape_is_none(text: str) -> None:
    shape = shape_of(text)
    if shape is not None:
        assert not any(c.isdigit() for c in shape)
        assert shape_of(shape) is None


@pytest.mark.parametrize(
    ("shape", "head"),
    [
        ("Ваше замовлення {n} готове.", "Ваше замовлення"),
        ("Ваше замовлення: «{n}».", "Ваше замовлення:"),
        ("Ваше замовлення {n} готове?", None),
        ("Ваше замовлення {n} готове!", None),
        ("Ціна {n} грн.", None),
        ("{n} шин лежать на складі.", None),
        ("Добрий день усім.", None),
    ],
)
def test_a_sentence_is_taken_apart_only_where_its_melody_allows_it(shape: str, head: str | None) -> None:
    assert head_of(shape) == head


def test_a_sentence_of_a_shape_with_a_yes_is_its_head_and_the_rest() -> None:
    templates = Templates.declared([], ["Ваше замовлення {n} готове."])
    assert templates.pieces("Ваше замовлення 4512 готове.") == ["Ваше замовлення", "4512 готове."]
    for other in ("Ваше замовлення скасоване готове.", "Ваше замовлення 4512 у дорозі.", "Так."):
        assert templates.pieces(other) == [other]
