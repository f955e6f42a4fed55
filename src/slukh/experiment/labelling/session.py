"""A labelling session: one question after another, each answered once, the last answers taken back at will.

    asked   -- answer -->  the next question; a label once all of an utterance are answered
    asked   -- undo -->    the question before, of this session, and its label is withdrawn
    over    -- undo -->    likewise

No I/O and no clock: moments are told. What is half answered is in no store; only labels are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from slukh.experiment.evidence import LabelRow
from slukh.experiment.labelling.judging import Answer, label
from slukh.experiment.labelling.questions import Question

Reply = Literal["a", "b", "both", "typed", "neither", "skip"]

_FIRST_GUESS_SECONDS = 12.0
_REMEMBERED = 20
_LONGEST_SECONDS = 120.0  # more is a pause of the person, not of the question


class NotAskedError(Exception):
    """The question is not the one that is asked now: a key was pressed twice, or in another window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is.

    Attributes:
        done: questions that are answered, in earlier sessions too.
        of: all of them.
        minutes_left: at the pace of the last answers.
        can_undo: there is an answer of this session.
    """

    done: int
    of: int
    minutes_left: int
    can_undo: bool


class Session:
    """What one person is asked, and has answered.

    Args:
        questions: in order; those of one utterance stand together.
        labeller: who answers.
        done_before: questions of this draw that the person answered in earlier sessions.
        now: seconds of any clock that does not go back.
    """

    def __init__(
        self, questions: Sequence[Question], *, labeller: str, done_before: int = 0, now: float
    ) -> None:
        self._questions = questions
        self._labeller = labeller
        self._done_before = done_before
        self._answers: list[Answer] = []
        self._seconds: list[float] = []
        self._asked_at = now

    @property
    def number(self) -> int:
        """Of the question that is asked."""
        return len(self._answers)

    @property
    def question(self) -> Question | None:
        """The question that is asked; None when all are answered."""
        return self._questions[self.number] if self.number < len(self._questions) else None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        left = len(self._questions) - self.number
        pace = median(self._seconds[-_REMEMBERED:]) if self._seconds else _FIRST_GUESS_SECONDS
        return Progress(
            done=self._done_before + self.number,
            of=self._done_before + len(self._questions),
            minutes_left=math.ceil(left * pace / 60),
            can_undo=bool(self._answers),
        )

    def answer(self, number: int, reply: Reply, text: str, *, now: float) -> LabelRow | None:
        """Take an answer.

        Args:
            number: of the question that it is to.
            reply: which text is right, as they were shown.
            text: what was typed, with `typed`.
            now: when.

        Returns: the label, when its utterance has no further question.

        Raises:
            NotAskedError: another question is asked, or none.
        """
        question = self.question
        if question is None or number != self.number:
            raise NotAskedError
        self._answers.append(_answer(question, reply, text))
        self._seconds.append(min(now - self._asked_at, _LONGEST_SECONDS))
        self._asked_at = now
        return self._label(question) if question.is_last else None

    def undo(self, *, now: float) -> LabelRow | None:
        """Ask the last question again; nothing happens before the first answer.

        Returns: the label that does not hold any more, when the answer had completed one.
        """
        if not self._answers:
            return None
        question = self._questions[self.number - 1]
        withdrawn = self._label(question) if question.is_last else None
        self._answers.pop()
        self._seconds.pop()
        self._asked_at = now
        return withdrawn

    def _label(self, last: Question) -> LabelRow:
        """The label of an utterance whose last question has just been answered."""
        answers = self._answers[-len(last.contested.differences) :]
        return label(last.contested, answers, labeller=self._labeller)


def _answer(question: Question, reply: Reply, text: str) -> Answer:
    match reply:
        case "a" | "b":
            return Answer(choice="whisper" if (reply == "a") is question.is_swapped else "google")
        case "both":
            return Answer(choice="both")
        case "typed" if text.strip():
            return Answer(choice="typed", text=text)
        case _:  # neither, and nobody knows what; not understood; typed and left empty
            return Answer(choice="unknown")
