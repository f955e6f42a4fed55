"""Whose turn it is: what the caller did goes in, what is to be answered comes out. `now` is passed in.

When                                                                        what is done
    their last utterance has its final, and nothing of theirs is open       what they said is answered
    ... and it ends as no sentence does ("на", "або", "двісті п'ять")       they get HOLD_SECONDS more
    they speak on before anything of our answer was heard                   all of it is answered together
    a key was pressed                                                       that is answered
    no recogniser heard them, or `hearing_seconds` passed without a final   they are asked to say it again
    nothing was heard in LONG_SECONDS of a voice, up to PATIENCE times      likewise
    nobody has spoken for `silence_seconds`; noises are nobody              they are asked if they are there
    the line broke, or a noise cut the greeting off                         what we said last is said again
"""

# ruff: noqa: RUF001, RUF002, SIM905  # Cyrillic letters that look Latin are meant

from collections import deque
from dataclasses import dataclass
from typing import Final

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn
from slukh.dialog.numbers import is_within_a_size

HOLD_SECONDS: Final = 0.8
# An empty final for a shorter voice is a cough's.
LONG_SECONDS: Final = 1.0
# Where somebody else's voice is on the line, a caller is not asked for ever.
PATIENCE: Final = 2

# Words after which more comes, in either language.
_UNFINISHED: Final = frozenset(
    "і й та або чи але що щоб на в у з із до від для по про за під над при мій моя моє моє ще потім "
    "и или но что чтобы на в с со до от для о об за под над при мой моя моё еще ещё потом это це "
    "радіус радиус профіль профиль ширина номер".split()
)


def is_unfinished(text: str) -> bool:
    """Whether a text ends with a word after which more comes, a comma or dash, or within a tyre's size."""
    words = text.casefold().split()
    if not words:
        return False
    last = words[-1]
    return (
        is_within_a_size(text)
        or last[-1] in ",-\u2013\u2014"
        or (last[-1] not in ".?!" and last.strip("…") in _UNFINISHED)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A final of the caller's.

    Attributes:
        utterance_id: whose.
        text: empty when nothing was heard in it.
        language_code: BCP-47.
        at: when it came.
        voice_seconds: from the first voice in it to the last.
        is_lost: every recogniser failed on it.
    """

    utterance_id: int
    text: str
    language_code: str
    at: float
    voice_seconds: float = 0.0
    is_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """The caller said something that no recogniser heard.

    Attributes:
        times: in a row.
        is_empty: no recogniser failed, they found nothing in it.
    """

    times: int
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The caller did not hear what we said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is to be answered now.

    Attributes:
        turn: as the dialogue gets it, or what it is to know nothing of.
        utterance_id: the last utterance of it; 0 when it is none.
        said: what it is made of.
    """

    turn: CallerTurn | Unheard | Repeat
    utterance_id: int = 0
    said: tuple[Said, ...] = ()


class Turns:
    """The turns of one call, over all its legs.

    Args:
        silence_seconds: of nobody speaking until the caller is asked.
        hearing_seconds: from our endpoint to a final, until they are asked to say it again.
        now: when the call began.
    """

    def __init__(self, *, silence_seconds: float, hearing_seconds: float, now: float) -> None:
        self._silence_seconds = silence_seconds
        self._hearing_seconds = hearing_seconds
        self._open: dict[int, float | None] = {}  # utterance -> our endpoint
        self._given_up: set[int] = set()  # and nothing was said since
        self._too_late: set[int] = set()
        self._said: list[Said] = []
        self._pressed: deque[str] = deque()
        self._silences = 0
        self._lost = 0  # in a row
        self._empty = 0  # likewise
        self._unheard: Unheard | None = None
        self._is_to_repeat = False
        self._quiet_since = now

    @property
    def caller_speaks(self) -> bool:
        """Whether an utterance of theirs is open, or its final is awaited."""
        return bool(self._open)

    def started(self, utterance_id: int) -> None:
        """The caller speaks."""
        self._open[utterance_id] = None
        self._too_late |= self._given_up  # what they say now is the answer to our asking again
        self._given_up.clear()

    def ended(self, utterance_id: int, now: float) -> None:
        """Our endpoint: its final is awaited."""
        if utterance_id in self._open:
            self._open[utterance_id] = now

    def final(self, said: Said) -> None:
        """What they said, or that it was nothing."""
        self._open.pop(said.utterance_id, None)
        self._given_up.discard(said.utterance_id)
        if said.utterance_id in self._too_late:
            self._too_late.discard(said.utterance_id)
        elif said.text:
            self._said.append(said)
            self._quiet_since = said.at
            self._lost = self._empty = 0
        elif said.is_lost:
            self._lose()
        elif said.voice_seconds >= LONG_SECONDS:
            self._empty += 1
            if self._unheard is None and self._empty <= PATIENCE:
                self._unheard = Unheard(times=max(self._lost, 1), is_empty=True)

    def noise(self, utterance_id: int) -> None:
        """It was no voice, and is not to be asked about."""
        self._open.pop(utterance_id, None)
        self._given_up.discard(utterance_id)
        self._too_late.discard(utterance_id)

    def _lose(self) -> None:
        self._lost += 1
        self._unheard = Unheard(times=self._lost)

    def pressed(self, digit: str, now: float) -> None:
        """A key."""
        self._pressed.append(digit)
        self._quiet_since = now

    def spoke(self, now: float) -> None:
        """We have just been speaking."""
        self._quiet_since = now

    def unanswered(self, turn: Turn) -> None:
        """Nothing of our answer to this was heard: it is to be answered again, with what follows."""
        self._said[:0] = turn.said
        if isinstance(turn.turn, CallerPressed):
            self._pressed.appendleft(turn.turn.digit)

    def repeat(self) -> None:
        """What we said last is to be said again, unless the caller says something before."""
        self._is_to_repeat = True

    def due(self, now: float) -> Turn | None:
        """What is to be answered now, if anything; it counts as answered then."""
        self._give_up(now)
        if self._pressed:
            self._silences = 0
            return Turn(turn=CallerPressed(digit=self._pressed.popleft()))
        if self._open or (self._said and now < self._held_until()):
            return None
        if self._said:
            return self._take_said()
        unheard = Repeat() if self._is_to_repeat else self._unheard
        if unheard is not None:
            self._unheard, self._is_to_repeat = None, False
            return Turn(turn=unheard)
        if now >= self._quiet_since + self._silence_seconds:
            self._silences += 1
            self._quiet_since = now
            return Turn(turn=CallerSilent(times=self._silences))
        return None

    def _give_up(self, now: float) -> None:
        """Wait no longer for finals that should have come long ago."""
        for utterance_id, at in tuple(self._open.items()):
            if at is not None and now >= at + self._hearing_seconds:
                del self._open[utterance_id]
                self._given_up.add(utterance_id)
                self._lose()

    def _take_said(self) -> Turn:
        said, self._said = tuple(self._said), []
        self._unheard, self._is_to_repeat = None, False
        self._silences = 0
        text = " ".join(one.text for one in said)
        turn = CallerSaid(text=text, language_code=said[-1].language_code)
        return Turn(turn=turn, utterance_id=said[-1].utterance_id, said=said)

    def next_deadline(self) -> float | None:
        """When `due` is to be asked again even if nothing happens."""
        if self._open:
            return min(
                (at + self._hearing_seconds for at in self._open.values() if at is not None), default=None
            )
        return self._held_until() if self._said else self._quiet_since + self._silence_seconds

    def _held_until(self) -> float:
        last = self._said[-1]
        return last.at + (HOLD_SECONDS if is_unfinished(last.text) else 0.0)
