"""The guard against text that nobody said.

Whisper fills silence with what its training films ended in, and falls into loops that it is very sure of. A
confident score does not clear a text, so a final is refused for any one of the reasons below; phrases count
only as the whole utterance, because callers do say "subtitles" and "thank you".
"""

import re
from collections.abc import Sequence
from typing import Literal

from slukh.stt.whisper.decoding import Decoding
from slukh.types import DropReason

MAX_COMPRESSION_RATIO = 2.4
NO_SPEECH = 0.6
LOW_LOGPROB = -1.0
LOW_VOICED_SHARE = 0.5
CLEARLY_VOICED_SECONDS = 0.3

# ruff: noqa: RUF001  # Cyrillic letters that look Latin are meant
# What Whisper writes on telephone silence, ringback and hiss, and no caller says. Lower case, no punctuation.
INVENTED: frozenset[str] = frozenset({
    "субтитры сделал dimatorzok", "субтитры создавал dimatorzok", "субтитры создал dimatorzok",
    "субтитры подогнал коронован", "субтитры подготовил dimatorzok",
    "редактор субтитров а синецкая корректор а егорова", "редактор субтитров а семкин корректор а егорова",
    "редактор субтитров",
    "спасибо за просмотр", "подписывайтесь на канал", "подписывайтесь на мой канал", "ставьте лайки",
    "спокойная музыка", "тревожная музыка", "веселая музыка", "динамичная музыка",
    "дякую за перегляд", "дякуємо за перегляд", "дякую за підписку", "підписуйтесь на канал",
    "підписуйтесь на мій канал", "ставте лайки", "субтитрувальниця оля шор",
    "спокійна музика", "тривожна музика", "весела музика",
})  # fmt: skip

# What Whisper writes on silence and callers say too: refused only when hardly anybody spoke.
DOUBTFUL: frozenset[str] = frozenset({
    "продолжение следует", "спасибо за внимание", "спасибо", "до свидания", "пока", "музыка",
    "телефонный звонок", "тишина", "всем пока", "удачи", "субтитры",
    "продовження далі", "дякую за увагу", "дякую", "дякуємо", "до побачення", "музика", "тиша",
    "телефонний дзвінок", "бувайте", "субтитри",
    "thank you", "thanks for watching", "bye",
})  # fmt: skip

_CAPTION = re.compile(r"(?:\s*(?:\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪?)[\s.,!?…]*)+")
_NOT_A_WORD = re.compile(r"[^\w']+|_+")

_LOOP_TOKENS = 6  # longest phrase that is looked for, in words
_LOOP_TIMES = 4
_LOOP_WORDS = 8  # "ні, ні, ні, ні" is said; eight words of it are not
_LOOP_SHARE = 0.6


def drop_reason(decoding: Decoding, *, voiced_seconds: float, voiced_share: float) -> DropReason | None:
    """Why a final must not reach the dialogue, or None for one that may.

    Args:
        decoding: of the whole utterance.
        voiced_seconds: how much voice our detector heard in it.
        voiced_share: of the time between the first and the last voice.
    """
    if not decoding.text:
        return None
    loop = loop_reason(decoding)
    if loop is not None:
        return loop
    if phrase_kind(decoding.text) == "invented":
        return "phrase"
    if phrase_kind(decoding.text) == "doubtful" and hardly_spoken(decoding, voiced_seconds, voiced_share):
        return "phrase"
    if _is_silence(decoding, voiced_share):
        return "no_speech"
    return None


def loop_reason(decoding: Decoding) -> DropReason | None:
    """Why a text is taken for a loop, or None; worth decoding once more with a guard against repetition."""
    if decoding.compression_ratio > MAX_COMPRESSION_RATIO:
        return "compression"
    if decoding.token_limit_hit or repeats(words_of(decoding.text)):
        return "repetition"
    return None


def phrase_kind(text: str) -> Literal["invented", "doubtful"] | None:
    """Whether the whole text is one of the known inventions, or a caption such as `[музика]`."""
    if _CAPTION.fullmatch(text):
        return "invented"
    phrase = " ".join(words_of(text))
    if phrase in INVENTED:
        return "invented"
    return "doubtful" if phrase in DOUBTFUL else None


def hardly_spoken(decoding: Decoding, voiced_seconds: float, voiced_share: float) -> bool:
    """Whether a courtesy word is rather Whisper's than the caller's: too little voice, or Whisper doubts."""
    no_speech = decoding.no_speech_probability
    return (
        voiced_seconds < CLEARLY_VOICED_SECONDS
        or voiced_share < LOW_VOICED_SHARE
        or (no_speech is not None and no_speech > NO_SPEECH)
        or (decoding.avg_logprob is not None and decoding.avg_logprob < LOW_LOGPROB)
    )


def repeats(words: Sequence[str]) -> bool:
    """Whether one phrase of up to six words, four or more times in a row, is most of the text."""
    needed = max(_LOOP_WORDS, _LOOP_SHARE * len(words))
    return any(
        _longest_run(words, size) >= max(needed, _LOOP_TIMES * size) for size in range(1, _LOOP_TOKENS + 1)
    )


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _NOT_A_WORD.sub(" ", text.casefold().replace("ё", "е")).split()


def _longest_run(words: Sequence[str], size: int) -> int:
    """Words in the longest stretch that repeats itself every `size` words."""
    best = run = 0
    for earlier, later in zip(words, words[size:], strict=False):
        run = run + 1 if earlier == later else 0
        best = max(best, run)
    return best + size if best else 0


def _is_silence(decoding: Decoding, voiced_share: float) -> bool:
    """Whisper's own rule, and a stricter one where our detector heard little: junk is often confident.

    Source: whisper's `transcribe` skips a segment when no_speech_prob > 0.6 and avg_logprob < -1.0.
    """
    if decoding.no_speech_probability is None or decoding.no_speech_probability <= NO_SPEECH:
        return False
    unsure = decoding.avg_logprob is None or decoding.avg_logprob < LOW_LOGPROB
    return unsure or voiced_share < LOW_VOICED_SHARE
