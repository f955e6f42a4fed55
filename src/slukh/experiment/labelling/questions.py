"""What a person is asked: an utterance of which two texts are known, difference by difference, blindly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slukh.experiment.canonical import canonical_text
from slukh.experiment.drawing import lot
from slukh.experiment.evidence import ARMS
from slukh.experiment.grammar import load_grammar
from slukh.experiment.labelling.clips import clip, voiced_frames
from slukh.experiment.labelling.differences import Difference, differences
from slukh.experiment.recorded import RecordedUtterance

Role = Literal["same", "asked", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """An utterance that was drawn, and two texts of it that differ.

    Texts are canonical: only what counts as an error is asked, and nobody sees from a capital letter or a
    digit who wrote it.

    Attributes:
        call_id: in which call.
        utterance_id: which utterance.
        language_code: BCP-47, of the call.
        probability: with which it was drawn.
        pcm: little-endian int16, 8 kHz, mono.
        speech: samples of it between which there is voice.
        texts: words of Google and of Whisper.
        differences: where they differ, at least one.
        grammars: a user's own, that canonical text depends on.
    """

    call_id: str
    utterance_id: int
    language_code: str
    probability: float
    pcm: bytes = field(repr=False)
    speech: tuple[int, int]
    texts: tuple[tuple[str, ...], tuple[str, ...]] = field(repr=False)
    differences: tuple[Difference, ...] = field(repr=False)
    grammars: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One difference of an utterance: which text is right here?

    Attributes:
        contested: the utterance.
        difference: the difference that is asked.
        is_swapped: text A is Whisper's.
    """

    contested: Contested
    difference: Difference
    is_swapped: bool

    @property
    def is_last(self) -> bool:
        """Whether the utterance has no other question after it."""
        return self.difference is self.contested.differences[-1]

    def lines(self) -> tuple[list[tuple[str, Role]], list[tuple[str, Role]]]:
        """Texts A and B, word by word, with what each word is in this question.

        Where a text has no words for it, an empty one stands in their place.
        """
        google, whisper = (self._roles(of) for of in (0, 1))
        return (whisper, google) if self.is_swapped else (google, whisper)

    def clip(self) -> bytes:
        """The audio of the difference, padding included."""
        contested, here = self.contested, self.difference
        voiced = voiced_frames(contested.pcm, contested.speech)
        begin, end = clip(contested.texts, here.starts, here.stops, voiced)
        return contested.pcm[2 * begin : 2 * end]

    def _roles(self, of: int) -> list[tuple[str, Role]]:
        words = self.contested.texts[of]
        roles: list[Role] = ["same"] * len(words)
        for each in self.contested.differences:
            role: Role = "asked" if each is self.difference else "elsewhere"
            roles[each.starts[of] : each.stops[of]] = [role] * (each.stops[of] - each.starts[of])
        line = list(zip(words, roles, strict=True))
        if (at := self.difference.starts[of]) == self.difference.stops[of]:
            line.insert(at, ("", "asked"))
        return line


def contested(
    recorded: RecordedUtterance, probability: float, grammars: Sequence[Path] = ()
) -> Contested | None:
    """A drawn utterance from its recording; None when its texts are one and the same by now."""
    language = recorded.language_code
    grammar = load_grammar(language, grammars)
    google, whisper = (
        tuple(canonical_text(recorded.texts[arm], language, grammar=grammar).split()) for arm in ARMS
    )
    if not (found := differences(google, whisper)):
        return None
    return Contested(
        call_id=recorded.call_id,
        utterance_id=recorded.utterance_id,
        language_code=language,
        probability=probability,
        pcm=recorded.pcm,
        speech=(recorded.speech_start - recorded.start, recorded.speech_end - recorded.start),
        texts=(google, whisper),
        differences=found,
        grammars=tuple(grammars),
    )


def questions(utterances: Iterable[Contested], *, seed: int) -> tuple[Question, ...]:
    """All questions, utterance by utterance; who is A is drawn for each."""
    return tuple(
        Question(
            contested=each,
            difference=difference,
            is_swapped=lot(seed, "order", each.call_id, each.utterance_id, number) < 1 / 2,
        )
        for each in utterances
        for number, difference in enumerate(each.differences)
    )
