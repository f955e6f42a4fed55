"""Voices that came while we spoke, until it is known whose: the caller's, or our own that came back."""

from typing import Final

from slukh.audio import samples_from_linear16
from slukh.speech.segmenter import SegmentEvent, Utterance, UtteranceEnded, UtteranceStarted
from slukh.talking.echo import HEARD_SAMPLES, EchoGuard

_CHUNKS: Final = 8  # that hold `HEARD_SAMPLES`


class Suspects:
    """One leg's.

    Args: guard: knows what was sent.
    """

    def __init__(self, guard: EchoGuard) -> None:
        self._guard = guard
        self._suspects: set[int] = set()
        self._echoes: set[int] = set()

    def hear(self, event: SegmentEvent, now: float) -> bool:
        """Whether an utterance is known from now on to be the caller's."""
        utterance = event.utterance
        if isinstance(event, UtteranceStarted):
            if not self._guard.is_speaking(now):
                return True
            self._suspects.add(utterance.id)
        if utterance.id not in self._suspects:
            return False
        if isinstance(event, UtteranceEnded):
            self._suspects.discard(utterance.id)
            self._echoes.add(utterance.id)
        elif not self._is_like_ours(utterance, now):
            self._suspects.discard(utterance.id)
            return True
        return False

    def close(self) -> None:
        """No more is heard: whoever is still suspected is an echo."""
        self._echoes |= self._suspects

    def is_echo(self, utterance_id: int) -> bool:
        """Whether a final is of our own voice; asked once of each."""
        if utterance_id not in self._echoes:
            return False
        self._echoes.discard(utterance_id)
        return True

    def _is_like_ours(self, utterance: Utterance, now: float) -> bool:
        """Without a voice at its end nobody can say."""
        chunks = utterance.chunks[-_CHUNKS:]
        if not chunks or not chunks[-1].voiced:
            return True
        heard = samples_from_linear16(b"".join(chunk.pcm for chunk in chunks))[-HEARD_SAMPLES:]
        return self._guard.is_echo(heard, now)
