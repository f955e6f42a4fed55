"""What is said when the dialogue cannot: an excuse, the hand-over to a person, the end of a long call."""

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant

from typing import Final

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
