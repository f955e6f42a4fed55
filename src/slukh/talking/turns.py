"""Whose turn it is: what the caller did goes in, what is to be answered comes out. `now` is passed in.

When                                                                        what is done
    their last utterance has its final, and nothing of theirs is open       what they said is answered
    ... and it ends as no sentence does ("на", "або", "мой")                they get HOLD_SECONDS more
    they speak on before anything of our answer was heard                   all of it is answered together
    a key was pressed                                                       that is answered
    no recogniser heard them                                                they are asked to say it again
    nobody has spoken for `silence_seconds`                                 they are asked if they are there
"""

# ruff: noqa: RUF001, RUF002, SIM905  # Cyrillic letters that look Latin are meant

from collections import deque
from dataclasses import dataclass
from typing import Final

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn

HOLD_SECONDS: Final = 0.8

# Words after which more comes, in either language.
_UNFINISHED: Final = frozenset(
    "і й та або чи але що щоб на в у з із до від для по про за під над при мій моя моє моє ще потім "
    "и или но что чтобы на в с со до от для о об за под над при мой моя моё еще ещё потом это це".split()
)


def is_unfinished(text: str) -> bool:
    """Whether a text ends with a word after which more comes, or with a comma or dash."""
    words = text.casefold().split()
    if not words:
        return False
    last = words[-1]
    return last[-1] in ",-\u2013\u2014" or (last[-1] not in ".?!" and last.strip("…") in _UNFINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A final of the caller's that waits to be answered.

    Attributes:
        utterance_id: whose.
        text: never empty.
        language_code: BCP-47.
        at: when it came.
    """

    utterance_id: int
    text: str
    language_code: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is to be answered now.

    Attributes:
        turn: as the dialogue gets it; None when no recogniser heard what the caller said.
        utterance_id: the last utterance of it; 0 when it is none.
        said: what it is made of.
    """

    turn: CallerTurn | None
    utterance_id: int = 0
    said: tuple[Said, ...] = ()


class Turns:
    """The turns of one call.

    Args:
        silence_seconds: of nobody speaking until the caller is asked.
        now: when the call began.
    """

    def __init__(self, *, silence_seconds: float, now: float) -> None:
        self._silence_seconds = silence_seconds
        self._open: set[int] = set()
        self._said: list[Said] = []
        self._pressed: deque[str] = deque()
        self._silences = 0
        self._is_unheard = False
        self._quiet_since = now

    @property
    def caller_speaks(self) -> bool:
        """Whether an utterance of theirs is open, or its final is awaited."""
        return bool(self._open)

    def started(self, utterance_id: int) -> None:
        """The caller speaks."""
        self._open.add(utterance_id)

    def final(self, said: Said) -> None:
        """What they said; without a text it was a noise."""
        self._open.discard(said.utterance_id)
        self._quiet_since = said.at
        if said.text:
            self._said.append(said)

    def unheard(self) -> None:
        """They said something that no recogniser heard: they are to be asked again."""
        self._is_unheard = True

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

    def due(self, now: float) -> Turn | None:
        """What is to be answered now, if anything; it counts as answered then."""
        if self._pressed:
            self._silences = 0
            return Turn(turn=CallerPressed(digit=self._pressed.popleft()))
        if self._open or (self._said and now < self._held_until()):
            return None
        if self._said:
            return self._take_said()
        if self._is_unheard:
            self._is_unheard = False
            return Turn(turn=None)
        if now - self._quiet_since >= self._silence_seconds:
            self._silences += 1
            self._quiet_since = now
            return Turn(turn=CallerSilent(times=self._silences))
        return None

    def _take_said(self) -> Turn:
        said, self._said, self._is_unheard = tuple(self._said), [], False
        self._silences = 0
        text = " ".join(one.text for one in said)
        turn = CallerSaid(text=text, language_code=said[-1].language_code)
        return Turn(turn=turn, utterance_id=said[-1].utterance_id, said=said)

    def next_deadline(self) -> float | None:
        """When `due` is to be asked again even if nothing happens."""
        if self._open:
            return None
        return self._held_until() if self._said else self._quiet_since + self._silence_seconds

    def _held_until(self) -> float:
        last = self._said[-1]
        return last.at + (HOLD_SECONDS if is_unfinished(last.text) else 0.0)
