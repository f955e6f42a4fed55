"""What is said when the dialogue cannot: an excuse, the hand-over to a person, the end of a long call.

And when no voice can: a recording.
"""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

from collections.abc import AsyncIterator
from typing import Final

from slukh.dialog.base import Say
from slukh.tts.base import SpeechRequest
from slukh.tts.recorded import apology, apology_text

Lines = dict[str, str]  # language -> words

EXCUSES: Final = {
    "uk-UA": "Перепрошую, я не розчула. Повторіть, будь ласка.",
    "ru-RU": "Прошу прощения, я не расслышала. Повторите, пожалуйста.",
}
HANDOVERS: Final = {
    "uk-UA": "Перепрошую, з'єдную вас з оператором.",
    "ru-RU": "Прошу прощения, соединяю вас с оператором.",
}
FAREWELLS: Final = {
    "uk-UA": "На жаль, час розмови вичерпано. До побачення.",
    "ru-RU": "К сожалению, время разговора истекло. До свидания.",
}

_OTHERWISE: Final = "uk-UA"  # to callers of a language that we have no words in


def own_words(lines: Lines, language_code: str) -> Say:
    """Words of ours in the caller's language."""
    code = language_code if language_code in lines else _OTHERWISE
    return Say(text=lines[code], language_code=code)


def recorded_apology(language_code: str) -> AsyncIterator[bytes]:
    """What needs no voice, 8 kHz."""
    pack = apology()
    code = language_code if language_code in pack.phrases else _OTHERWISE
    return pack.synthesize(SpeechRequest(text=apology_text(language_code), language_code=code))
