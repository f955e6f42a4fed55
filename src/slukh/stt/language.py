"""Languages: BCP-47 inside the house, ISO-639-1 on a Whisper's wire, and which one a caller speaks.

Servers fail silently on `uk-UA` (some decode it as English), and name what they heard `uk` or `ukrainian`. So
codes are translated here, once, in both directions, and anything unknown is refused before it leaves us.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slukh.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language that calls can be transcribed in.

    Attributes:
        code: BCP-47.
        iso: ISO-639-1, what Whisper is asked for.
        name: English name, as some servers report it, in lower case.
    """

    code: str
    iso: str
    name: str


_TABLE: tuple[tuple[str, str], ...] = (
    ("uk-UA", "ukrainian"), ("ru-RU", "russian"), ("en-US", "english"), ("en-GB", "english"),
    ("be-BY", "belarusian"), ("bg-BG", "bulgarian"), ("cs-CZ", "czech"), ("de-DE", "german"),
    ("es-ES", "spanish"), ("fr-FR", "french"), ("hu-HU", "hungarian"), ("it-IT", "italian"),
    ("kk-KZ", "kazakh"), ("pl-PL", "polish"), ("pt-PT", "portuguese"), ("ro-RO", "romanian"),
    ("sk-SK", "slovak"), ("tr-TR", "turkish"),
)  # fmt: skip

SUPPORTED: Mapping[str, Language] = {
    code: Language(code=code, iso=code.partition("-")[0], name=name) for code, name in _TABLE
}
PREFERRED: tuple[str, ...] = ("uk-UA", "ru-RU", "en-US")


def iso_639_1(language_code: str) -> str:
    """`uk` from `uk-UA`.

    Raises:
        SettingsError: not one of `SUPPORTED`.
    """
    try:
        return SUPPORTED[language_code].iso
    except KeyError:
        raise _unknown(language_code) from None


def bcp_47(spoken: str, preferred: Sequence[str] = PREFERRED) -> str:
    """`uk-UA` from what a person or a server writes: `uk`, `Ukrainian`, `uk-ua`, `uk_UA`.

    Args:
        spoken: a code or an English name, in any case.
        preferred: whose region wins where a language has several (`en` is `en-US` or `en-GB`).

    Raises:
        SettingsError: not one of `SUPPORTED`.
    """
    wanted = spoken.strip().replace("_", "-").lower()
    in_order = [*(code for code in preferred if code in SUPPORTED), *SUPPORTED]
    for code in in_order:
        if wanted == code.lower():
            return code
    for code in in_order:
        if wanted in (SUPPORTED[code].iso, SUPPORTED[code].name):
            return code
    raise _unknown(spoken)


def _unknown(code: str) -> SettingsError:
    return SettingsError(
        f"unknown language {code!r:.40}", remedy=f"use one of {', '.join(sorted(SUPPORTED))}"
    )


class LanguageTracker:
    """The call's belief in what its caller speaks: a prior for the next utterance, with hysteresis.

    One language at a time is favoured five to one; a call starts with its own. What an engine heard, its
    probabilities among the allowed ones without our prior, goes into a running average that forgets with a
    time constant of ten seconds of voice. Another language becomes the favoured one when its average reaches
    0.85; the call's own takes over again at 0.5. So one odd utterance never turns a call, and Whisper base,
    which takes half of short Ukrainian prompts for Russian, does not turn it either, while a caller who
    really speaks the other language is followed within some twenty seconds of speech (and understood before,
    because five to one is less than what a clear utterance says).
    """

    FAVOUR = 5.0
    LEAVE = 0.85
    RETURN = 0.5
    MEMORY_SECONDS = 10.0

    def __init__(self, language_code: str, alternative_language_codes: Sequence[str] = ()) -> None:
        self.home = language_code
        self.favoured = language_code
        self.allowed = tuple(dict.fromkeys((language_code, *alternative_language_codes)))
        self._average = self.prior()

    def prior(self) -> dict[str, float]:
        """Probability of each allowed language before the next utterance is heard; they add up to 1."""
        weights = {code: self.FAVOUR if code == self.favoured else 1.0 for code in self.allowed}
        total = sum(weights.values())
        return {code: weight / total for code, weight in weights.items()}

    def observe(self, language_probabilities: Mapping[str, float], voiced_seconds: float) -> None:
        """Learn from one utterance.

        Args:
            language_probabilities: BCP-47 -> probability as the engine heard it, our prior not counted in.
                Languages that are not allowed are left out; nothing allowed means nothing learned.
            voiced_seconds: how much voice it is based on.
        """
        heard = {code: max(0.0, language_probabilities.get(code, 0.0)) for code in self.allowed}
        total = sum(heard.values())
        if len(self.allowed) == 1 or total <= 0.0 or voiced_seconds <= 0.0:
            return
        step = 1.0 - math.exp(-voiced_seconds / self.MEMORY_SECONDS)
        self._average = {
            code: before + step * (heard[code] / total - before) for code, before in self._average.items()
        }
        leader = max(self.allowed, key=lambda code: self._average[code])
        if self._average[self.home] >= self.RETURN:
            self.favoured = self.home
        elif self._average[leader] >= self.LEAVE:
            self.favoured = leader
