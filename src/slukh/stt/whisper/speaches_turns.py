"""When speaches has heard all of an utterance. Its realtime protocol has no last message. No I/O.

Its voice detection opens and closes turns, and each is transcribed when it is closed. It does in turn what
it is told. So the answer to a `session.update` behind the audio comes behind every turn that began in it:
when no turn is open then, none comes any more.

Source: `realtime/input_audio_buffer_event_router.py` of 0.9.0-rc.3 (870e1e1) and of its development since,
whose handlers of `append` and `session.update` never wait; runs of 0.9.0-rc.3.
"""

from collections import Counter

_STARTED, _STOPPED = "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"
TURN_EVENTS = (_STARTED, _STOPPED, "input_audio_buffer.committed")
_SETTLED_SECONDS = 0.6  # without a further turn after the last one
_QUIET_SECONDS = 2.0  # without any turn: it has heard nothing
_MOST_ASKED = 8


class SpeachesTurns:
    """The turns of one utterance, by item, and what was asked behind it."""

    def __init__(self) -> None:
        self._speaking: set[str] = set()  # turns that began and were not closed
        self._stopped: dict[str, float] = {}  # seconds of audio that a turn had when it was closed first
        self._took: dict[str, float] = {}  # and when it was completed, voice or not
        self._unsaid: Counter[str] = Counter()  # times that a turn was closed and not completed yet
        self._asked = self._answered = 0

    def heard(self, event: str, item: str, audio_end_ms: object = None) -> None:
        """One of `TURN_EVENTS`: a turn began, or was closed, now and then twice.

        `speech_stopped` closes it and says when; `committed` follows that, and closes where it comes alone.
        """
        if event == _STARTED:
            self._speaking.add(item)
            return
        self._speaking.discard(item)
        if event == _STOPPED or item not in self._stopped:
            self._unsaid[item] += 1
        if isinstance(audio_end_ms, int | float):
            self._stopped.setdefault(item, audio_end_ms / 1000)

    def completed(self, item: str, usage: object) -> None:
        """It was transcribed."""
        took = usage.get("seconds") if isinstance(usage, dict) else None
        self._took[item] = took if isinstance(took, int | float) else 0.0
        self._unsaid[item] -= 1

    def asked(self) -> None:
        """A `session.update` was sent: at first, and behind each piece of silence."""
        self._asked += 1

    def answered(self) -> None:
        """One was answered."""
        self._answered += 1

    @property
    def is_known(self) -> bool:
        """Every turn that began in what was sent is known."""
        return 0 < self._asked == self._answered

    @property
    def wants_silence(self) -> bool:
        """A turn is open behind the silence that was sent.

        0.9.0-rc.3 closes none before it has three seconds of audio since the turn before.
        """
        return self.is_known and bool(self._speaking) and self._asked < _MOST_ASKED

    def quiet_seconds(self, sent_seconds: float, *, has_text: bool) -> float:
        """How long no turn may begin, when none is open, before none will.

        None can when it has answered for all that was sent. Where it does not answer: a turn takes all audio
        since the turn before, so no word can be in a further one when those that are completed took as much
        as was sent. One that was closed twice may be completed twice, the second time with more of it; but
        what it had when it was closed first is in either.
        """
        again = {item for item in self._took if self._unsaid[item] > 0}
        if self.is_known and not again:
            return 0.0
        covered = sum(
            min(took, self._stopped.get(item, 0.0)) if item in again else took
            for item, took in self._took.items()
        )
        if sent_seconds and covered >= sent_seconds:
            return 0.0
        return _SETTLED_SECONDS if has_text else _QUIET_SECONDS
