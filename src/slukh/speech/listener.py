"""A call's audio in, utterances out: whatever lengths the line brings, cut into frames, judged, segmented."""

import numpy as np
from numpy.typing import NDArray

from slukh.audio import linear16_from_samples, samples_from_linear16
from slukh.speech.segmenter import Endpointing, Segmenter, SegmentEvent
from slukh.speech.vad import FRAME_SAMPLES, VoiceDetector, energy_at, frame_energy

_FRAME_BYTES = 2 * FRAME_SAMPLES


class Listener:
    """Hears one leg of one call.

    Args:
        detector: of this call alone.
        endpointing: when utterances begin and end.
        first_utterance_id: what the first utterance is called; a later leg of a call counts on.
    """

    def __init__(
        self, detector: VoiceDetector, endpointing: Endpointing, first_utterance_id: int = 1
    ) -> None:
        self._detector = detector
        self._segmenter = Segmenter(endpointing, first_utterance_id=first_utterance_id)
        self._floor = energy_at(endpointing.energy_floor_dbfs)
        self._pcm = b""  # of the frame that is not whole yet
        self._heard_to = 0

    @property
    def voiced_samples(self) -> int:
        """Samples in which a voice was heard so far, those that opened no utterance included."""
        return self._segmenter.voiced_samples

    @property
    def next_utterance_id(self) -> int:
        """What the next utterance will be called."""
        return self._segmenter.next_utterance_id

    def hear(self, samples: NDArray[np.int16], position: int) -> list[SegmentEvent]:
        """Take the call's next samples, any number of them.

        Args:
            samples: linear, 8 kHz; they are copied.
            position: of the first of them; they follow the last ones without a gap.

        Returns:
            What happened, in this order.
        """
        events: list[SegmentEvent] = []
        pcm = self._pcm + linear16_from_samples(samples)
        self._heard_to = position + samples.size
        start, end = 0, len(pcm)
        while end - start >= _FRAME_BYTES:
            frame = pcm[start : start + _FRAME_BYTES]
            events += self._judge(frame, frame, self._heard_to - (end - start) // 2)
            start += _FRAME_BYTES
        self._pcm = pcm[start:]
        return events

    def finish(self) -> list[SegmentEvent]:
        """The call is over: judge what is left of it, padded with silence, and end an open utterance."""
        events: list[SegmentEvent] = []
        if self._pcm:
            padded = self._pcm.ljust(_FRAME_BYTES, b"\0")
            events = self._judge(self._pcm, padded, self._heard_to - len(self._pcm) // 2)
        return events + self._segmenter.finish()

    def _judge(self, pcm: bytes, whole: bytes, position: int) -> list[SegmentEvent]:
        """One frame from a position on, as it was heard and (the call's last) made whole."""
        frame = samples_from_linear16(whole)
        probability = 0.0
        # Most of a call is silence. The network is not asked about it and its memory stands still meanwhile,
        # which costs recorded clips no speech and lets no noise in (tests/integration holds it to that).
        if frame_energy(frame) >= self._floor:
            probability = self._detector.speech_probability(frame)
        return self._segmenter.push(pcm, probability, position)
