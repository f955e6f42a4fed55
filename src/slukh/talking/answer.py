"""An answer on its way to the caller: what of it was heard, what it is booked as, how long it took."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from slukh.dialog.base import CallerSilent, Say
from slukh.talking.mouth import Playing
from slukh.talking.turns import Turn
from slukh.tts.joining import Joiner
from slukh.tts.phrases import sentences, speakable
from slukh.tts.speaker import Speech
from slukh.types import SAMPLE_RATE_HERTZ, PhraseSpoken, SpeechEnded, SpokenOutcome, TurnTimed, seconds

_MILLISECOND_BYTES: Final = 2 * SAMPLE_RATE_HERTZ // 1000
_CHARACTER_BYTES: Final = 60 * _MILLISECOND_BYTES  # some sixteen characters a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """When the caller finished, for how long they waited then.

    Attributes:
        event: our endpoint.
        at: when it was.
    """

    event: SpeechEnded
    at: float


@dataclass(slots=True)
class Phrase:
    """A phrase of the answer that is being given.

    Attributes:
        speech: its audio.
        joiner: of the sentence that it is a piece of; None when it is the sentence.
        is_last: of those pieces.
        playing: how far it is.
        is_over: it was played to its end.
    """

    speech: Speech
    joiner: Joiner | None = None
    is_last: bool = True
    playing: Playing = field(default_factory=Playing)
    is_over: bool = False

    def audio(self) -> AsyncIterator[bytes]:
        """As it is to be played. Raises TtsError while it is read."""
        own = aiter(self.speech)
        return own if self.joiner is None else self.joiner.piece(own, is_last=self.is_last)

    @property
    def length(self) -> int:
        """Bytes of its audio: what was played is no measure of what there is, for it is read as it is played.

        While it is still being made, at least as many as speech of its characters has.
        """
        if self.is_over:
            return self.playing.played
        recording = self.speech.recording
        least = 0 if recording.is_whole else len(self.speech.request.text) * _CHARACTER_BYTES
        return max(recording.made, least)

    @property
    def was_heard(self) -> bool:
        """Whether the caller heard it to its end."""
        return self.is_over and not self.playing.unheard

    def spoken(self, number: int, utterance_id: int) -> PhraseSpoken:
        """The event of it."""
        voice = self.speech.recording.voice
        assert voice is not None
        request = self.speech.request
        outcome: SpokenOutcome = self.speech.outcome
        if outcome == "sent" and not self.was_heard:
            outcome = "interrupted"
        return PhraseSpoken(
            phrase=number,
            utterance_id=utterance_id,
            text=request.text,
            language_code=request.language_code,
            provider=voice.provider,
            voice=voice.name,
            characters=len(request.text),
            outcome=outcome,
            audio_ms=self.length // _MILLISECOND_BYTES,
            played_ms=self.playing.heard // _MILLISECOND_BYTES,
        )


@dataclass(slots=True)
class Answer:
    """The answer that is being given.

    Attributes:
        turn: what to; None for the greeting and what we say by ourselves.
        is_ours: the dialogue knows nothing of it, such as an excuse.
        asked_at: when the dialogue was asked for it.
        hands_over: it ends with the caller at a person.
        says: of it, what has come and can be said.
        first_text_at: when its first words came.
        phrases: begun or waiting, in order.
        is_said: all of it has left us.
    """

    turn: Turn | None = None
    is_ours: bool = False
    asked_at: float = 0.0
    hands_over: bool = False
    says: list[Say] = field(default_factory=list)
    first_text_at: float | None = None
    phrases: list[Phrase] = field(default_factory=list)
    is_said: bool = False

    @property
    def is_of_the_dialogue(self) -> bool:
        """Whether it is what the call is about, and no excuse and no "are you there"."""
        return not self.is_ours and not (self.turn and isinstance(self.turn.turn, CallerSilent))

    def heard(self) -> str:
        """What the caller heard of it, to the last whole word."""
        words = []
        for phrase in self.phrases:
            text, playing = phrase.speech.request.text, phrase.playing
            if phrase.was_heard:
                words.append(text)
            elif playing.heard:
                cut = text[: len(text) * playing.heard // max(phrase.length, 1)]
                words.append(cut.rpartition(" ")[0])
        return " ".join(word for word in words if word)

    def heard_characters(self) -> int:
        """Of what was spoken of it, those that the caller heard."""
        return sum(
            len(phrase.speech.request.text) * min(phrase.playing.heard, phrase.length) // phrase.length
            for phrase in self.phrases
            if phrase.length
        )

    def spoken(self, *, after: int) -> list[PhraseSpoken]:
        """One event for every phrase that was asked for: what was paid for is booked, heard or not.

        Args: after: number of the last phrase that was booked.
        """
        # Where nobody spoke, or it was interrupted before anybody did, there is no voice: see `Speaker`.
        said = [phrase for phrase in self.phrases if phrase.speech.recording.voice is not None]
        utterance_id = 0 if self.turn is None else self.turn.utterance_id
        return [phrase.spoken(number, utterance_id) for number, phrase in enumerate(said, after + 1)]

    def timed(self, ended: Ended | None) -> TurnTimed | None:
        """How long the caller waited for the first phrase; None when there was none, or nobody spoke."""
        if self.turn is None or not self.turn.said or not self.phrases or ended is None:
            return None
        began_at, first_text_at = self.phrases[0].playing.began_at, self.first_text_at
        if began_at is None or first_text_at is None:
            return None
        final_at = self.turn.said[-1].at
        return TurnTimed(
            utterance_id=ended.event.utterance_id,
            endpoint_seconds=seconds(ended.event.endpoint - ended.event.position),
            final_seconds=max(0.0, final_at - ended.at),
            held_seconds=max(0.0, self.asked_at - final_at),
            first_text_seconds=max(0.0, first_text_at - self.asked_at),
            first_audio_seconds=max(0.0, began_at - first_text_at),
        )


def last_question(says: Sequence[Say]) -> Say:
    """The end of what was said, from its last question on; all of the last words when there is none.

    Args: says: at least one.
    """
    last = says[-1]
    said = sentences(speakable(last.text, last.language_code))
    asking = [number for number, sentence in enumerate(said) if "?" in sentence]
    return Say(text=" ".join(said[asking[-1] :]), language_code=last.language_code) if asking else last
