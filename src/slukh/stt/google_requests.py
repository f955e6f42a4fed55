"""What Google is asked, and what its answers say of the utterance. Pure but for Google's message classes.

Within one utterance Google may finalise pieces and go on, and an interim may come in parts of which the first
are likely to stay. So the text is the finalised pieces, joined, and the current interim behind them:

    final "добрий день"             interim, stability 0.9 "скажіть"      interim, stability 0.01 "будь"
    |------------------ stable, as long as it is not contradicted -----|

Google documents 0.0 as "not set" for stability and confidence; here it is None.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from google.cloud.speech_v2.types import cloud_speech

from slukh.stt.base import Hypothesis, StreamConfig
from slukh.types import SAMPLE_RATE_HERTZ, Word

# Google says 0.9 of the part of an interim that it expects to keep and 0.01 of the rest.
_LIKELY_TO_STAY = 0.8
_ZERO = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleModel:
    """Which recogniser of Google's, and what of it.

    Attributes:
        project_id: the Google Cloud project that pays.
        location: region or multi-region. Several languages at once are taken by `global`, `us` and `eu` only.
        model: such as `chirp_3`; which languages it takes depends on the location.
        boost: how strongly phrase hints weigh, 0 (not at all more) to 20.
        words: whether word timings are asked for. Off: some models then answer nothing at all.
        punctuation: whether Google puts punctuation.
    """

    project_id: str
    location: str = "eu"
    model: str = "chirp_3"
    boost: float = 0.0
    words: bool = False
    punctuation: bool = True


def first_request(model: GoogleModel, config: StreamConfig) -> cloud_speech.StreamingRecognizeRequest:
    """The message that opens a stream: what is to be recognised and how. Audio is LINEAR16 at 8 kHz."""
    languages = dict.fromkeys((config.language_code, *config.alternative_language_codes))
    decoding = cloud_speech.ExplicitDecodingConfig(
        encoding=cloud_speech.ExplicitDecodingConfig.AudioEncoding.LINEAR16,
        sample_rate_hertz=SAMPLE_RATE_HERTZ,
        audio_channel_count=1,
    )
    recognition = cloud_speech.RecognitionConfig(
        explicit_decoding_config=decoding,
        model=model.model,
        language_codes=list(languages),
        features=cloud_speech.RecognitionFeatures(
            enable_automatic_punctuation=model.punctuation, enable_word_time_offsets=model.words
        ),
    )
    if config.phrase_hints:
        recognition.adaptation = _adaptation(config.phrase_hints, model.boost)
    return cloud_speech.StreamingRecognizeRequest(
        recognizer=f"projects/{model.project_id}/locations/{model.location}/recognizers/_",
        streaming_config=cloud_speech.StreamingRecognitionConfig(
            config=recognition,
            streaming_features=cloud_speech.StreamingRecognitionFeatures(
                interim_results=config.interim_results
            ),
        ),
    )


def _adaptation(phrases: Sequence[str], boost: float) -> cloud_speech.SpeechAdaptation:
    hints = [cloud_speech.PhraseSet.Phrase(value=phrase) for phrase in phrases]
    return cloud_speech.SpeechAdaptation(
        phrase_sets=[
            cloud_speech.SpeechAdaptation.AdaptationPhraseSet(
                inline_phrase_set=cloud_speech.PhraseSet(phrases=hints, boost=boost)
            )
        ]
    )


def canonical(language_code: str, asked: Sequence[str]) -> str:
    """`uk-UA` from Google's `uk-ua`: as it was asked, else in the case that RFC 5646 (2.1.1) recommends."""
    for code in asked:
        if code.lower() == language_code.lower():
            return code
    language, *rest = language_code.split("-")
    cased = (part.title() if len(part) == 4 else part.upper() for part in rest)  # noqa: PLR2004  # a script
    return "-".join((language.lower(), *cased))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of the utterance that Google finalised."""

    text: str
    confidence: float | None
    language_code: str
    words: tuple[Word, ...]
    ends_at: timedelta


class GoogleHearing:
    """What Google has said of one utterance so far.

    Args:
        config: what it was asked.
        starts_at: where the utterance starts in the stream; what ends before is of another.
        billed: what the stream had been billed until then.
        stable: text that was promised to stay.

    Attributes:
        billed: what the stream has been billed.
        stable: text that will not change.
        has_unfinished_text: Google's last answer held an interim.
    """

    def __init__(
        self,
        config: StreamConfig,
        *,
        starts_at: timedelta = _ZERO,
        billed: timedelta = _ZERO,
        stable: str = "",
    ) -> None:
        self.billed = billed
        self.stable = stable
        self.has_unfinished_text = False
        self._shown = stable
        self._asked = (config.language_code, *config.alternative_language_codes)
        self._starts_at = starts_at
        self._billed_before = billed
        self._pieces: list[_Piece] = []

    @property
    def finalised_until(self) -> timedelta:
        """Position in the stream up to which all is finalised."""
        return max((piece.ends_at for piece in self._pieces), default=self._starts_at)

    def hear(self, response: cloud_speech.StreamingRecognizeResponse) -> Hypothesis | None:
        """Take an answer.

        Returns:
            An interim when Google heard words. Where they take stable text back, what was shown before is
            shown again: the final will say what is right, and a Google that speaks is not silent.
        """
        self.billed = max(self.billed, response.metadata.total_billed_duration)
        results = [result for result in response.results if not self._is_of_another(result)]
        if not results:
            return None
        interims: list[cloud_speech.StreamingRecognitionResult] = []
        for result in results:
            if result.is_final:
                self._finalise(result)
                interims.clear()
            elif result.alternatives and result.alternatives[0].transcript.strip():
                interims.append(result)
        self.has_unfinished_text = bool(interims)
        return self._interim(interims)

    def final(self) -> Hypothesis:
        """The whole utterance, once Google has closed the stream in peace; empty when it heard nothing."""
        text = _joined(piece.text for piece in self._pieces)
        return Hypothesis(
            text=text,
            is_final=True,
            stable_length=len(text),
            confidence=self._confidence(),
            language_code=self._language(),
            words=tuple(itertools.chain.from_iterable(piece.words for piece in self._pieces)),
            reported_ms=round((self.billed - self._billed_before) / timedelta(milliseconds=1)) or None,
        )

    def _is_of_another(self, result: cloud_speech.StreamingRecognitionResult) -> bool:
        return bool(_ZERO < result.result_end_offset <= self._starts_at)

    def _finalise(self, result: cloud_speech.StreamingRecognitionResult) -> None:
        if not result.alternatives:
            return
        best = result.alternatives[0]
        piece = _Piece(
            text=_joined([best.transcript]),
            confidence=_unless_unset(best.confidence),
            language_code=canonical(result.language_code, self._asked) if result.language_code else "",
            words=tuple(_word(word, self._starts_at) for word in best.words if word.end_offset),
            ends_at=result.result_end_offset,
        )
        # Sent twice is said once. Without an offset it cannot be told from a word that was said twice.
        if piece.text and not (piece.ends_at and self._pieces and piece == self._pieces[-1]):
            self._pieces.append(piece)

    def _interim(self, parts: Sequence[cloud_speech.StreamingRecognitionResult]) -> Hypothesis | None:
        finalised = [piece.text for piece in self._pieces]
        said = [part.alternatives[0].transcript for part in parts]
        likely = itertools.takewhile(lambda part: part.stability >= _LIKELY_TO_STAY, parts)
        text = _joined(finalised + said)
        stable = _joined(finalised + [part.alternatives[0].transcript for part in likely])
        if not text:
            return None
        if text.startswith(self.stable):
            self.stable = max(self.stable, stable, key=len)
            self._shown = text
        stabilities = [part.stability for part in parts if part.stability]
        return Hypothesis(
            text=self._shown,
            is_final=False,
            stable_length=len(self.stable),
            stability=min(1.0, *stabilities) if stabilities else None,
            language_code=self._language(parts[0].language_code if parts else ""),
        )

    def _confidence(self) -> float | None:
        """Mean over the characters of those pieces that have one."""
        told = [(len(piece.text), piece.confidence) for piece in self._pieces if piece.confidence is not None]
        if not told:
            return None
        return sum(length * value for length, value in told) / sum(length for length, _ in told)

    def _language(self, of_interim: str = "") -> str:
        """The language of most of the finalised text, else the interim's, else what was asked."""
        lengths: dict[str, int] = {}
        for piece in self._pieces:
            if piece.language_code:
                lengths[piece.language_code] = lengths.get(piece.language_code, 0) + len(piece.text)
        if lengths:
            return max(lengths, key=lambda code: lengths[code])
        return canonical(of_interim, self._asked) if of_interim else self._asked[0]


def _joined(parts: Iterable[str]) -> str:
    """Parts with one space between words, wherever Google put its own."""
    return " ".join(" ".join(parts).split())


def _unless_unset(value: float) -> float | None:
    return min(1.0, value) or None


def _word(word: cloud_speech.WordInfo, starts_at: timedelta) -> Word:
    return Word(
        text=word.word,
        start=_samples(word.start_offset - starts_at),
        end=_samples(word.end_offset - starts_at),
        confidence=_unless_unset(word.confidence),
    )


def _samples(offset: timedelta) -> int:
    return round(offset / timedelta(seconds=1) * SAMPLE_RATE_HERTZ)
