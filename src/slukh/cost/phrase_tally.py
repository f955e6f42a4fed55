"""Which phrases are said how often, counted without keeping what was said to one caller. No I/O.

A phrase is counted under a keyed digest of its text, and so is the shape of a sentence, which is the sentence
without its numbers. The words stand beside a digest only when they cannot be somebody's:

- they were declared: a script's own, a list's, the head of a template with a yes;
- or `FEWEST_CALLERS` callers with different numbers heard exactly them, and there is no digit in them.

Callers who withhold their number, or whom nobody announced, count as one. Until there are enough of them,
each is a digest of phrase and caller together, which leads from neither to the other without the key. What
fills a hole is never kept. `ledger/phrases.py` holds both rules where it writes.
"""

import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from slukh.types import CallEnded, CallEvent, CallStarted, PhraseSpoken

FEWEST_CALLERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseCount:
    """How often a voice said a phrase.

    Attributes:
        phrase: its digest.
        provider: whose voice.
        voice: which one.
        language_code: BCP-47.
        shape: digest of its shape, or None for a sentence that is not to be taken apart.
        characters: of the phrase.
        times: that callers were to hear it.
        sent: of them, those that it was made for.
    """

    phrase: str
    provider: str
    voice: str
    language_code: str
    shape: str | None
    characters: int
    times: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What stands behind a digest, on its way to where it is kept, or not.

    Attributes:
        subject: the digest of a phrase or a shape.
        language_code: BCP-47.
        text: its words.
        witness: of the caller who heard it; None when it was declared.
    """

    subject: str
    language_code: str
    text: str
    witness: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """What was counted since the last look."""

    counts: tuple[PhraseCount, ...] = ()
    words: tuple[Words, ...] = ()


def witness_of(key: bytes, subject: str, caller: str) -> str:
    """That a caller heard a phrase: a digest of both.

    Args:
        key: of the digests.
        subject: the digest of a phrase or a shape.
        caller: the hash of their number; empty for those who have none.
    """
    return _digest(key, subject, caller)


def _digest(key: bytes, *parts: str) -> str:
    data = json.dumps(parts, ensure_ascii=False).encode()
    return hmac.new(key, data, hashlib.sha256).hexdigest()[:32]


class PhraseTally:
    """The sink that counts phrases, in bounded memory. Not thread safe.

    Args:
        key: of the digests.
        declared: language and text of what is anybody's.
        shape_of: the shape of a sentence that may be taken apart; None for any other.
        most: phrases that are counted between two looks; what is beyond is not.
    """

    def __init__(
        self,
        key: bytes,
        *,
        declared: Collection[tuple[str, str]] = (),
        shape_of: Callable[[str], str | None] = lambda _text: None,
        most: int = 10_000,
    ) -> None:
        self._key = key
        self._declared = frozenset(declared)
        self._shape_of = shape_of
        self._most = most
        self._callers: OrderedDict[str, str] = OrderedDict()
        self._counts: dict[tuple[str, str, str], PhraseCount] = {}
        self._words: dict[tuple[str, str | None], Words] = {}

    def observe(self, event: CallEvent) -> None:
        """Count what was said."""
        match event.event:
            case CallStarted(caller=caller) if caller is not None:
                self._callers[event.call_id] = caller
                if len(self._callers) > self._most:
                    self._callers.popitem(last=False)
            case CallEnded():
                self._callers.pop(event.call_id, None)
            case PhraseSpoken() as spoken:
                self._count(spoken, self._callers.get(event.call_id, ""))

    def take(self) -> Tallied:
        """What was counted since this was last asked."""
        tallied = Tallied(counts=tuple(self._counts.values()), words=tuple(self._words.values()))
        self._counts, self._words = {}, {}
        return tallied

    def give_back(self, tallied: Tallied) -> None:
        """What could not be kept now is counted with what comes."""
        for count in tallied.counts:
            self._add(count)
        for words in tallied.words:
            self._note(words)

    def forget(self, caller: str) -> None:
        """That a caller, by hash, heard anything is told to nobody; how often it was said still is."""
        self._words = {
            (subject, witness): words
            for (subject, witness), words in self._words.items()
            if witness != witness_of(self._key, subject, caller)
        }

    def _count(self, spoken: PhraseSpoken, caller: str) -> None:
        code, text = spoken.language_code, " ".join(spoken.text.split())
        phrase, shape = self.digest(code, text), self._shape_of(text)
        shape_digest = None if shape is None else self.digest(code, shape)
        own = PhraseCount(
            phrase=phrase, provider=spoken.provider, voice=spoken.voice, language_code=code,
            shape=shape_digest, characters=spoken.characters, times=1, sent=int(spoken.outcome != "cached"),
        )  # fmt: skip
        self._add(own)
        if (code, text) in self._declared:
            self._note(Words(subject=phrase, language_code=code, text=text, witness=None))
        elif not any(c.isdigit() for c in text):
            self._note(self._witnessed(phrase, code, text, caller))
        if shape is not None and shape_digest is not None:
            self._note(self._witnessed(shape_digest, code, shape, caller))

    def digest(self, *parts: str) -> str:
        """Of these, 32 hex digits that nobody can guess a text from without the key."""
        return _digest(self._key, *parts)

    def _witnessed(self, subject: str, code: str, text: str, caller: str) -> Words:
        witness = witness_of(self._key, subject, caller)
        return Words(subject=subject, language_code=code, text=text, witness=witness)

    def _add(self, count: PhraseCount) -> None:
        key = (count.phrase, count.provider, count.voice)
        known = self._counts.get(key)
        if known is not None:
            count = replace(known, times=known.times + count.times, sent=known.sent + count.sent)
        elif len(self._counts) >= self._most:
            return
        self._counts[key] = count

    def _note(self, words: Words) -> None:
        if len(self._words) < self._most:
            self._words[words.subject, words.witness] = words
