"""From answers to a label: the text that each provider is held against, and the counts that follow.

    google, whisper   its words were said
    both              either is right: each is held against its own words
    typed             these words were said; typed and empty in canonical text ("-"): nothing was
    unknown           nobody can tell: the place is left out, of what was said and of what was heard

Words that both providers have count as said. They may both be wrong there, and then alike: the difference
between the two does not depend on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from slukh.experiment.canonical import canonical_text
from slukh.experiment.counting import label_row
from slukh.experiment.evidence import LabelRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.labelling.questions import Contested

Choice = Literal["google", "whisper", "both", "typed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says of one difference.

    Attributes:
        choice: who is right.
        text: what was typed.
    """

    choice: Choice
    text: str = field(default="", repr=False)


def label(contested: Contested, answers: Sequence[Answer], *, labeller: str) -> LabelRow:
    """The label that answers to all differences of an utterance make."""
    sides = [_side(contested, answers, of) for of in (0, 1)]
    return label_row(
        call_id=contested.call_id,
        utterance_id=contested.utterance_id,
        labeller=labeller,
        probability=contested.probability,
        language_code=contested.language_code,
        said=(sides[0][0], sides[1][0]),
        heard=(sides[0][1], sides[1][1]),
        unclear=sum(answer.choice == "unknown" for answer in answers),
        grammars=contested.grammars,
    )


def _side(contested: Contested, answers: Sequence[Answer], of: int) -> tuple[str, str]:
    """What one provider is held against, and what it wrote of that."""
    words = contested.texts[of]
    said: list[str] = []
    heard: list[str] = []
    at = 0
    for difference, answer in zip(contested.differences, answers, strict=True):
        common = words[at : difference.starts[of]]
        said += common
        heard += common
        at = difference.stops[of]
        if answer.choice != "unknown":
            said += _said(contested, difference.words(contested.texts), answer, of)
            heard += words[difference.starts[of] : at]
    return " ".join([*said, *words[at:]]), " ".join([*heard, *words[at:]])


def _said(contested: Contested, here: tuple[str, str], answer: Answer, of: int) -> list[str]:
    match answer.choice:
        case "google":
            return here[0].split()
        case "whisper":
            return here[1].split()
        case "typed":
            grammar = load_grammar(contested.language_code, contested.grammars)
            return canonical_text(answer.text, contested.language_code, grammar=grammar).split()
        case _:
            return here[of].split()
