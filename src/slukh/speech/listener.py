"""A call's audio in, utterances out: whatever lengths the line brings, cut into frames, judged, segmented."""

import numpy as np
from numpy.typing import NDArray

from slukh.speech.segmenter import Endpointing, Segmenter, SegmentEvent
from slukh.speech.vad import FRAME_SAMPLES, VoiceDetector, energy_at, frame_energy


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
        self._frame = np.zeros(FRAME_SAMPLES, dtype=np.int16)
        self._filled = 0
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
        taken = 0
        while taken < samples.size:
            piece = samples[taken : taken + FRAME_SAMPLES - self._filled]
            self._frame[self._filled : self._filled + piece.size] = piece
            self._filled += piece.size
            taken += piece.size
            if self._filled == FRAME_SAMPLES:
                events += self._judge(position + taken)
        self._heard_to = position + taken
        return events

    def finish(self) -> list[SegmentEvent]:
        """The call is over: judge what is left of it, padded with silence, and end an open utterance."""
        events: list[SegmentEvent] = []
        if self._filled:
            self._frame[self._filled :] = 0
            events = self._judge(self._heard_to)
        return events + self._segmenter.finish()

    def _judge(self, end: int) -> list[SegmentEvent]:
        """One frame, whole or the call's last, that ends at a position."""
        probability = 0.0
        # Most of a call is silence. The network is not asked about it and its memory stands still meanwhile,
        # which costs recorded clips no speech and lets no noise in (tests/integration holds it to that).
        if frame_energy(self._frame) >= self._floor:
            probability = self._detector.speech_probability(self._frame)
        heard = self._frame[: self._filled]
        self._filled = 0
        return self._segmenter.push(heard, probability, end - heard.size)
