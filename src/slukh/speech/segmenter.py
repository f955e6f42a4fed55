"""Cuts a call into utterances: frames and probabilities in, events out, no I/O and no clock.

A frame is voiced when its probability reaches `start_probability`, and stays so down to `stop_probability`.

    waiting   -- voiced for min_voiced_ms -->          speaking   pre_roll_ms of what was before come along
    speaking  -- unvoiced for endpoint_ms -->          waiting    our endpoint
    speaking  -- unvoiced for a shorter pause, or
                 max_utterance_seconds long -->        resuming   a cut in the middle of speech
    resuming  -- any voiced frame -->                  speaking   with every sample since the cut
    resuming  -- unvoiced for endpoint_ms in all -->   waiting

The pause is endpoint_ms, and from soften_after_seconds on it shrinks towards nothing, so that what is long
is cut in a breath and not in a word.
"""

from collections import deque
from dataclasses import dataclass

from slukh.speech.vad import FRAME_SAMPLES
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk, samples_from_ms

_LONGEST_LEAD = SAMPLE_RATE_HERTZ // FRAME_SAMPLES  # one second: a line that clicks all the time is no word


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpointing:
    """When an utterance begins and when it is over.

    Attributes:
        endpoint_ms: silence after which the caller has finished.
        pre_roll_ms: audio taken along from before the first voiced frame, in whole frames; voiced frames with
            less than this between them belong together.
        min_voiced_ms: a voice shorter than this, such as a click, opens nothing.
        energy_floor_dbfs: a frame below this root mean square is never voiced, nor is the detector asked.
        start_probability: an unvoiced caller becomes voiced here.
        stop_probability: a voiced caller becomes unvoiced below this.
        soften_after_seconds: from this length on a shorter pause suffices.
        max_utterance_seconds: no utterance is longer; Whisper's window is 30 s.
    """

    endpoint_ms: int = 500
    pre_roll_ms: int = 250
    min_voiced_ms: int = 120
    energy_floor_dbfs: float = -60.0
    start_probability: float = 0.5
    stop_probability: float = 0.35
    soften_after_seconds: float = 20.0
    max_utterance_seconds: float = 28.0


class Utterance:
    """One thing the caller said; it owns its audio, exactly the call's samples from `start` to `end`.

    Attributes:
        id: counted up within the call.
        start: its first sample, pre-roll included.
        speech_start: its first voiced sample.
        speech_end: the end of its last voiced sample so far.
        end: the end of its audio so far.
        endpoint: where the clock stood when it was over, or None while it is open.
        chunks: its audio so far, one per frame.
        voiced_samples: samples of its voiced frames so far.
    """

    __slots__ = ("chunks", "end", "endpoint", "id", "speech_end", "speech_start", "start", "voiced_samples")

    def __init__(self, *, utterance_id: int, start: int) -> None:
        self.id = utterance_id
        self.start = self.speech_start = self.speech_end = self.end = start
        self.endpoint: int | None = None
        self.chunks: list[AudioChunk] = []
        self.voiced_samples = 0

    @property
    def closed(self) -> bool:
        """Whether no more audio of it will come."""
        return self.endpoint is not None

    @property
    def samples(self) -> int:
        """How long it is, in 8 kHz samples."""
        return self.end - self.start

    def release(self) -> None:
        """Free its audio; everything else about it remains."""
        self.chunks.clear()

    def take(self, chunk: AudioChunk) -> None:
        """Append the next chunk; the segmenter's own."""
        self.chunks.append(chunk)
        start, samples = self.end, chunk.samples
        self.end = start + samples
        if chunk.voiced:
            if not self.voiced_samples:
                self.speech_start = start
            self.voiced_samples += samples
            self.speech_end = self.end


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The caller speaks; the utterance holds its pre-roll and first voiced frames already."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class UtteranceGrew:
    """One more chunk."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """Our endpoint; a `UtteranceGrew` of its last chunk stands before it."""

    utterance: Utterance


SegmentEvent = UtteranceStarted | UtteranceGrew | UtteranceEnded


class Segmenter:
    """The endpointing of one call.

    Args:
        endpointing: its thresholds.
        first_utterance_id: what the first utterance is called.

    Attributes:
        next_utterance_id: what the next utterance will be called.
        voiced_samples: samples of all voiced frames so far, clicks included.
    """

    def __init__(self, endpointing: Endpointing, *, first_utterance_id: int = 1) -> None:
        self.next_utterance_id = first_utterance_id
        self.voiced_samples = 0
        self._options = endpointing
        self._pause = samples_from_ms(endpointing.endpoint_ms)
        self._min_voiced = samples_from_ms(endpointing.min_voiced_ms)
        self._soft_length = int(endpointing.soften_after_seconds * SAMPLE_RATE_HERTZ)
        whole_frames = int(endpointing.max_utterance_seconds * SAMPLE_RATE_HERTZ) // FRAME_SAMPLES
        self._max_length = whole_frames * FRAME_SAMPLES
        self._pre_roll_frames = -(-samples_from_ms(endpointing.pre_roll_ms) // FRAME_SAMPLES)
        self._before: deque[AudioChunk] = deque()  # heard since the last utterance, as the next may want it
        self._open: Utterance | None = None
        self._voiced = False
        self._lead = 0  # frames since the first voiced one of those that lead up to now
        self._quiet = 0  # frames since the last voiced one
        self._voiced_run = 0  # samples of voice up to now, without a break
        self._silent_run = self._pause  # samples without a voice up to now

    def push(self, pcm: bytes, probability: float, position: int) -> list[SegmentEvent]:
        """What one frame means.

        Args:
            pcm: the call's next `FRAME_SAMPLES` samples, linear 16-bit little-endian; only the call's very
                last frame may be shorter.
            probability: 0..1 that it holds a voice.
            position: of its first sample; frames follow each other without a gap.

        Returns:
            What happened, in this order.
        """
        options = self._options
        voiced = probability >= (options.stop_probability if self._voiced else options.start_probability)
        samples = len(pcm) // 2
        chunk = AudioChunk(pcm=pcm, voiced=voiced)
        self._voiced = voiced
        if voiced:
            self.voiced_samples += samples
            self._voiced_run += samples
        else:
            self._voiced_run = 0
            self._silent_run += samples
        if self._open is None:
            return self._wait(chunk, position)
        return self._grow(self._open, chunk)

    def finish(self) -> list[SegmentEvent]:
        """The call is over: an open utterance ends here and now."""
        return [] if self._open is None else [self._close(self._open)]

    def _wait(self, chunk: AudioChunk, position: int) -> list[SegmentEvent]:
        self._before.append(chunk)
        # Inside a pause that a cut left unfinished the caller is in speech still: one voiced frame goes on
        # with it, and nothing since the cut is forgotten.
        resuming = self._silent_run < self._pause
        if self._voiced_run >= (1 if resuming else self._min_voiced):
            return [self._start(position + chunk.samples)]
        if not resuming:
            self._forget(chunk)
        return []

    def _forget(self, chunk: AudioChunk) -> None:
        """Drop what the next utterance will not want.

        It wants the pre-roll before the first of the voiced frames that lead up to it: a detector flickers at
        the soft start of a word, and a frame too short to open anything belongs to that word all the same.
        """
        self._quiet = 0 if chunk.voiced else self._quiet + 1
        if self._quiet >= self._pre_roll_frames:
            self._lead = 0
        elif self._lead or chunk.voiced:
            self._lead = min(self._lead + 1, _LONGEST_LEAD)
        while len(self._before) > self._pre_roll_frames + self._lead:
            self._before.popleft()

    def _start(self, end: int) -> UtteranceStarted:
        start = end - sum(chunk.samples for chunk in self._before)
        utterance = self._open = Utterance(utterance_id=self.next_utterance_id, start=start)
        self.next_utterance_id += 1
        self._silent_run = self._lead = self._quiet = 0
        for chunk in self._before:
            utterance.take(chunk)
        self._before.clear()
        return UtteranceStarted(utterance)

    def _grow(self, utterance: Utterance, chunk: AudioChunk) -> list[SegmentEvent]:
        utterance.take(chunk)
        if chunk.voiced:
            self._silent_run = 0
        if self._silent_run >= self._pause_wanted(utterance.samples):
            return [UtteranceGrew(utterance), self._close(utterance)]
        return [UtteranceGrew(utterance)]

    def _pause_wanted(self, length: int) -> int:
        """Samples without a voice that end an utterance of this length; 0 when it is full."""
        if length <= self._soft_length and length < self._max_length:
            return self._pause
        left = max(0, self._max_length - length)
        return self._pause * left // max(1, self._max_length - self._soft_length)

    def _close(self, utterance: Utterance) -> UtteranceEnded:
        utterance.endpoint = utterance.end
        self._open = None
        return UtteranceEnded(utterance)
