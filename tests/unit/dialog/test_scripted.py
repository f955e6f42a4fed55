from pathlib import Path

import pytest

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn, Leave, Say, Step
from slukh.dialog.script import read_script
from slukh.dialog.scripted import ScriptedConversation, ScriptedDialog
from slukh.errors import SettingsError
from slukh.types import CallStarted

EXAMPLE = Path(__file__).parents[3] / "examples" / "dialog" / "tyre-shop.yaml"


def conversation(language_code: str = "uk-UA") -> ScriptedConversation:
    dialog = ScriptedDialog(read_script(EXAMPLE))
    return dialog.converse(CallStarted(call_id="c", language_code=language_code))


async def said_to(talk: ScriptedConversation, *turns: CallerTurn | str, code: str = "uk-UA") -> list[Step]:
    steps: list[Step] = [step async for step in talk.greet()]
    for turn in turns:
        turn_ = CallerSaid(text=turn, language_code=code) if isinstance(turn, str) else turn
        steps = [step async for step in talk.answer(turn_)]
    return steps


def words(steps: list[Step]) -> str:
    return " ".join(step.text for step in steps if isinstance(step, Say))


async def test_a_tyre_is_asked_for_and_its_numbers_are_repeated() -> None:
    talk = conversation()
    steps = await said_to(talk, "Мені потрібні шини", "двісті п'ять п'ятдесят п'ять шістнадцять", "зимові")
    assert words(steps) == "Отже, 205 на 55, радіус 16, зимові. Правильно?"
    steps = await said_to(conversation(), "шини", "205/55 R16", "літні", "так, правильно")
    assert isinstance(steps[-1], Leave)
    assert steps[-1].reason == "handover"


@pytest.mark.parametrize(
    ("said", "code", "asked"),
    [
        ("Двійка на 55, радіус 16", "uk-UA",
         "Почула так: профіль 55, радіус 16. Назвіть ще раз, будь ласка, ширину."),
        ("205 на пятьсот, 16", "ru-RU",
         "Услышала так: ширина 205, радиус 16. Назовите ещё раз, пожалуйста, профиль."),
        ("20555 радіус", "uk-UA", "Почула так: ширина 205, профіль 55. Назвіть ще раз, будь ласка, радіус."),
        ("п'ятдесят п'ять", "uk-UA", "Почула так: профіль 55. Назвіть ще раз, будь ласка, ширину, радіус."),
        ("55, ні, 60", "uk-UA", "Не розчула розмір. Наприклад, двісті п'ять, п'ятдесят п'ять, шістнадцять."),
    ],
)  # fmt: skip
async def test_of_a_size_what_was_not_understood_is_asked_for(said: str, code: str, asked: str) -> None:
    assert words(await said_to(conversation(code), "шини шины", said, code=code)) == asked


async def test_a_size_is_put_together_from_what_was_understood() -> None:
    garbled = ["зимові шини", "Двійка на 55, радіус 16"]
    confirmed = "Отже, 205 на 55, радіус 16, зимові. Правильно?"
    assert words(await said_to(conversation(), *garbled, "двісті п'ять")) == confirmed
    assert words(await said_to(conversation(), *garbled, "205 55 16")) == confirmed
    assert "215 на 60, радіус 17" in words(await said_to(conversation(), *garbled, "215 60 17"))


async def test_a_size_is_asked_for_twice_more_and_then_by_a_person() -> None:
    garbled = "на 55, радіус 16"
    steps = await said_to(conversation(), "шини", garbled, "двадцять", garbled)
    assert isinstance(steps[-1], Leave)


async def test_what_was_understood_of_a_size_that_was_wrong_is_forgotten() -> None:
    turns = ["зимові шини", "205 на 55", "радіус 16", "ні", "радіус 17"]
    assert words(await said_to(conversation(), *turns)).startswith("Почула так: радіус 17.")


async def test_a_wrong_size_is_asked_again() -> None:
    steps = await said_to(conversation(), "шини", "205 55 16", "зимові", "ні, не те")
    assert "розмір" in words(steps)


async def test_what_was_said_before_it_was_asked_is_not_asked() -> None:
    confirmed = "Отже, 205 на 55, радіус 16, зимові. Правильно?"
    assert words(await said_to(conversation(), "зимові шини, 205 55 16")) == confirmed
    assert words(await said_to(conversation(), "потрібні зимові шини", "205 55 16")) == confirmed
    assert words(await said_to(conversation(), "шини", "зимові, 205 55 16")) == confirmed
    assert words(await said_to(conversation(), "зимові", "205 55 16")) == confirmed
    assert "4512 готове" in words(await said_to(conversation(), "де моє замовлення 4512"))


async def test_what_was_confirmed_is_not_changed_in_passing_and_asked_again_when_it_was_wrong() -> None:
    talk = conversation()
    assert "з менеджером" in words(await said_to(talk, "зимові шини, 205 55 16", "так, а літні потім"))
    again = ["зимові шини, 205 55 16", "ні"]
    assert words(await said_to(conversation(), *again)).startswith("Назвіть, будь ласка, розмір")
    assert "літні, зимові чи" in words(await said_to(conversation(), *again, "215 60 17"))
    corrected = words(await said_to(conversation(), "зимові шини, 205 55 16", "ні, літні, 215 60 17"))
    assert corrected == "Отже, 215 на 60, радіус 17, літні. Правильно?"


async def test_a_number_that_is_wrong_is_asked_for_and_not_looked_up_for_ever() -> None:
    steps = await said_to(conversation(), "замовлення 9999")
    assert words(steps).endswith("номер замовлення.")


@pytest.mark.parametrize("code", ["uk-UA", "ru-RU"])
async def test_the_recorded_caller_comes_to_the_order(code: str) -> None:
    said = (EXAMPLE.parents[1] / "calls" / f"tyre-order-{code[:2]}.txt").read_text(encoding="utf-8")
    asked = await said_to(conversation(code), *said.splitlines()[:-1], code=code)
    assert "215 на 60" in words(asked)
    taken = await said_to(conversation(code), *said.splitlines(), code=code)
    assert "менеджером" in words(taken)
    assert taken[-1] == Leave(reason="handover")


async def test_an_order_is_looked_up() -> None:
    assert words(await said_to(conversation(), "де моє замовлення", "45-12")) == (
        "Замовлення 4512 готове до видачі. Бажаєте ще щось?"
    )
    missing = words(await said_to(conversation(), "замовлення", "9999"))
    assert missing.startswith("Замовлення 9999 я не знайшла.")
    assert missing.endswith("номер замовлення.")


async def test_a_russian_caller_is_answered_in_russian_even_on_a_ukrainian_line() -> None:
    steps = await said_to(conversation(), "Мне нужны шины", code="ru-RU")
    assert {step.language_code for step in steps if isinstance(step, Say)} == {"ru-RU"}
    steps = await said_to(conversation("en-US"))
    assert {step.language_code for step in steps if isinstance(step, Say)} == {"uk-UA"}


async def test_a_person_is_to_be_had_from_everywhere() -> None:
    for turns in (["оператора"], ["шини", "дайте оператора, 205 55 16"], [CallerPressed(digit="0")]):
        assert isinstance((await said_to(conversation(), *turns))[-1], Leave)


async def test_what_is_not_understood_is_asked_again_and_then_handed_over() -> None:
    assert "не зрозуміла" in words(await said_to(conversation(), "погода"))
    assert isinstance((await said_to(conversation(), "погода", "дощ", "сніг"))[-1], Leave)


async def test_a_silent_caller_is_asked_and_then_handed_over() -> None:
    assert words(await said_to(conversation(), CallerSilent(times=1))) == "Ви ще на лінії?"
    assert isinstance((await said_to(conversation(), CallerSilent(times=3)))[-1], Leave)


async def test_an_answer_that_nobody_heard_was_not_given() -> None:
    talk = conversation()
    await said_to(talk, "шини")
    talk.interrupted("")
    assert "Назвіть" in words([s async for s in talk.answer(CallerSaid(text="шини", language_code="uk-UA"))])
    talk.interrupted("Назвіть, будь ласка")
    steps = [s async for s in talk.answer(CallerSaid(text="205 55 16", language_code="uk-UA"))]
    assert "зимові" in words(steps)


def test_what_it_always_says_is_known_beforehand_and_what_changes_is_a_template() -> None:
    dialog = ScriptedDialog(read_script(EXAMPLE))
    texts = {phrase.text for phrase in dialog.phrases()}
    assert "З'єдную з оператором." in texts
    assert not any("{" in text for text in texts)
    assert any("{width}" in template for template in dialog.templates)


GOOD = EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("goto: season", "goto: nowhere", "state greeting goes to nowhere, which is no state"),
        ("start: greeting", "start: hello", "the script goes to hello"),
        ("table: orders", "table: none", "no table"),
        ("  rim:\n    known:", "  brim:\n    known:", "state size has partly: add parts for rim"),
        (", remember: {season: winter}", "", "state season may be answered ahead: add remember"),
        ("forget: [season]", "forget: [saison]", "a branch forgets saison, which none remembers"),
        ("    collect: number\n    goto: order_status", "    collect: number", "goes nowhere"),
        ("      ru-RU: Соединяю с оператором.\n", "", "state operator says nothing in ru-RU"),
        ("patience: 2", "patience: much", r"script\.yaml:7: patience: Input should be a valid integer"),
        ("give_up: operator", "giveup: operator", "Field required"),
        ("patience: 2", "patience: 2\npatience: 3", r"script\.yaml:8: `patience` stands there twice"),
        ("languages: [uk-UA, ru-RU]", "languages: [uk-UA", r"script\.yaml:\d+: no YAML"),
    ],
)
def test_a_script_that_does_not_hold_together_is_refused_with_the_place(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in GOOD
    path = tmp_path / "script.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        read_script(path)


def test_a_script_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_script(tmp_path / "none.yaml")
