"""One clock of int samples at 8 kHz per call, and what becomes of silence and late audio. No I/O.

A position counts the samples handed on since the call began, so it never jumps within a leg: what did not
come, or came too late, is replaced by silence of the same length and reported as an `AudioGap`.

How late is the line? The clock remembers the moment at which position 0 would have been spoken (its origin),
judged by the most punctual audio so far: audio that comes sooner than expected moves the origin back. The lag
of the next sample is what real time has gained on it. Three things follow.

- stale: more than 2 s of lag happens when *we* stalled and the audio waited in the socket. The excess is
  discarded, the newest 2 s are kept.
- idle: nothing in an empty socket for 300 ms is a line that sends no audio (silence suppression, hold). It is
  filled with silence up to 60 ms behind real time, so that the caller's last sentence meets its endpoint.
  If audio was merely delayed it comes in a burst, ahead of real time then, and all of it is heard.
- lost: a backlog comes in a lump as large as the lag. When 25 small pieces in a row are late, no backlog is
  there, and what is missing are packets lost on the way (1 % of them, or the 80 ms that Asterisk mutes for a
  DTMF digit). That lag is forgiven, or a long call would become stale by it.

A recording that is sent as fast as TCP takes it is soon further ahead than a live line can be: such a line
is paced by us, and nothing of it is ever stale.
"""

import math
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from slukh.audio import Samples
from slukh.types import SAMPLE_RATE_HERTZ, AudioGap

MAX_LAG_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 0.3
IDLE_REST_SECONDS: Final = 0.06
RUN_AHEAD_SECONDS: Final = 3.0
LOST_AFTER_PIECES: Final = 25
FRAME_SAMPLES: Final = SAMPLE_RATE_HERTZ // 50

_SILENCE: Final = np.zeros(SAMPLE_RATE_HERTZ, np.int16)
_SILENCE.flags.writeable = False


@dataclass(slots=True, eq=False)  # not frozen: it is made for every frame
class Heard:
    """Consecutive samples of a call; nobody changes it.

    Attributes:
        samples: int16 at 8 kHz, read-only, never empty.
        position: of the first one.
    """

    samples: Samples = field(repr=False)
    position: int


class CallClock:
    """The clock of one call, over all its legs.

    Attributes:
        position: of the next sample.
        heard: samples of this leg that came from the line and were handed on.
    """

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.heard = 0
        self._origin: float | None = None  # when position 0 would have been spoken
        self._began = 0.0  # when this leg's first audio came
        self._last_audio = 0.0
        self._late_pieces = 0
        self._runs_ahead = False
        self._gap: tuple[Literal["idle", "stale", "detached"], int] | None = None  # reason, start

    def lag(self, now: float) -> float:
        """Seconds by which the next sample is behind real time; 0 before the first audio."""
        if self._origin is None:
            return 0.0
        return now - self._origin - self.position / SAMPLE_RATE_HERTZ

    def due(self, now: float) -> int:
        """The position that real time has reached; for `attach`."""
        return self.position + max(0, int(self.lag(now) * SAMPLE_RATE_HERTZ))

    def received(self, samples: Samples, now: float) -> list[Heard | AudioGap]:
        """One read of the line gave audio: it, or silence in place of what is stale, and gaps that are over.

        Args: samples: all that one read gave (the size of a read tells a backlog from lost packets).
        """
        length = len(samples)
        if not length:
            return []
        lag = self._on_audio(length, now)
        events: list[Heard | AudioGap] = []
        if lag > MAX_LAG_SECONDS and not self._runs_ahead:
            # Whole frames, so that a line that is always a little too late does not flicker.
            frames = -int((MAX_LAG_SECONDS - lag) * SAMPLE_RATE_HERTZ // FRAME_SAMPLES)
            stale = min(frames * FRAME_SAMPLES, length)
            events = self._silence(stale, "stale")
            samples = samples[stale:]
            length -= stale
        if length:
            if self._gap is not None:
                events += self.finish()
            events.append(Heard(samples, self.position))
            self.position += length
            self.heard += length
        return events

    def _on_audio(self, length: int, now: float) -> float:
        """The lag of audio that comes now; the origin is set by it."""
        if self._origin is None:
            self._origin = now - self.position / SAMPLE_RATE_HERTZ
            self._began = now
        self._last_audio = now
        lag = now - self._origin - self.position / SAMPLE_RATE_HERTZ
        if lag <= 0.0:
            self._origin += lag
            ahead = (self.heard + length) / SAMPLE_RATE_HERTZ - (now - self._began)
            self._runs_ahead = self._runs_ahead or ahead > RUN_AHEAD_SECONDS
            lag = 0.0
        is_late = lag > IDLE_SECONDS and length < IDLE_SECONDS * SAMPLE_RATE_HERTZ
        self._late_pieces = self._late_pieces + 1 if is_late else 0
        if self._late_pieces >= LOST_AFTER_PIECES:
            self._origin += lag
            self._late_pieces = 0
            lag = 0.0
        return lag

    @property
    def idle_at(self) -> float:
        """When it is worth calling `idle` unless audio comes before; never before the first audio."""
        return math.inf if self._origin is None else self._last_audio + IDLE_SECONDS

    def idle(self, now: float) -> list[Heard | AudioGap]:
        """The socket is empty and we were awake to see it: silence that is due, in pieces of at most 1 s."""
        if now < self.idle_at:
            return []
        frames = int((self.lag(now) - IDLE_REST_SECONDS) * SAMPLE_RATE_HERTZ // FRAME_SAMPLES)
        return self._silence(frames * FRAME_SAMPLES, "idle")

    def _silence(self, length: int, reason: Literal["idle", "stale"]) -> list[Heard | AudioGap]:
        events: list[Heard | AudioGap] = []
        if length > 0 and (self._gap is None or self._gap[0] != reason):
            events += self.finish()
            self._gap = (reason, self.position)
        while length > 0:
            piece = _SILENCE[:length]
            events.append(Heard(piece, self.position))
            self.position += len(piece)
            length -= len(piece)
        return events

    def attach(self, position: int, now: float) -> None:
        """A further leg of the call begins at `position`, usually `due(now)`.

        What lies before it is a `detached` gap; no leg hands on silence for it. `heard` counts anew.
        """
        self.position, start = max(position, self.position), self.position
        self._gap = ("detached", start) if self.position > start else None
        self._origin = now - self.position / SAMPLE_RATE_HERTZ
        self._began = self._last_audio = now
        self._late_pieces = 0
        self._runs_ahead = False
        self.heard = 0

    def finish(self) -> list[Heard | AudioGap]:
        """The gap that is open, if one is: it ends here. The shell calls it when the leg is over."""
        if self._gap is None:
            return []
        reason, start = self._gap
        self._gap = None
        return [AudioGap(start=start, end=self.position, reason=reason)]
