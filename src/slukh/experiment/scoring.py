"""How well utterances were heard: errors of each, and their sums by language, length and kind of turn.

Three numbers, always together: WER as written, WER in canonical text, and the error rate of what costs money
(sizes, numbers, times, prices, names). A gap between the first two that differs by provider is a finding
about formatting, not about hearing.

Where nothing was said there is no rate: words heard there are counted per minute of such audio.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from slukh.experiment.canonical import canonical_text, entities
from slukh.experiment.grammar import EntityKind, Grammar, load_grammar
from slukh.experiment.wer import CharacterErrors, WordErrors, character_errors, plain_text, word_errors

# Words of the reference: "так", a sentence, an address.
_LENGTHS = ((0, "nothing said"), (2, "1 to 2 words"), (8, "3 to 8 words"))
_LONGEST = "9 words and more"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityErrors:
    """Entities of one kind, or of several.

    Attributes:
        hits: said and heard, with the same value.
        missed: said and not heard so.
        invented: heard and not said so.
    """

    hits: int = 0
    missed: int = 0
    invented: int = 0

    @property
    def rate(self) -> float | None:
        """1 - F1; None where there were none."""
        weighed = 2 * self.hits + self.missed + self.invented
        return (self.missed + self.invented) / weighed if weighed else None

    def __add__(self, other: "EntityErrors") -> "EntityErrors":
        """Both together."""
        return EntityErrors(
            hits=self.hits + other.hits,
            missed=self.missed + other.missed,
            invented=self.invented + other.invented,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of one utterance, or of many.

    Attributes:
        utterances: how many had words.
        written: word errors but for case and punctuation.
        words: word errors in canonical text; of utterances with words.
        characters: character errors in canonical text, likewise.
        entities: by kind.
        silent_utterances: how many had none.
        silent_seconds: their audio.
        silent_words: what was heard in them, in words.
    """

    utterances: int = 0
    written: WordErrors = field(default_factory=WordErrors)
    words: WordErrors = field(default_factory=WordErrors)
    characters: CharacterErrors = field(default_factory=CharacterErrors)
    entities: Mapping[EntityKind, EntityErrors] = field(default_factory=dict)
    silent_utterances: int = 0
    silent_seconds: float = 0.0
    silent_words: int = 0

    @property
    def entity_errors(self) -> EntityErrors:
        """Of all kinds together."""
        return sum(self.entities.values(), EntityErrors())

    @property
    def silent_words_per_minute(self) -> float | None:
        """Words heard per minute of audio in which nobody spoke; None where there was none."""
        return 60 * self.silent_words / self.silent_seconds if self.silent_seconds else None

    def __add__(self, other: "Score") -> "Score":
        """Both together, as if they were one text: longer utterances weigh more."""
        kinds = {**self.entities, **other.entities}
        nothing = EntityErrors()
        return Score(
            utterances=self.utterances + other.utterances,
            written=self.written + other.written,
            words=self.words + other.words,
            characters=self.characters + other.characters,
            entities={
                kind: self.entities.get(kind, nothing) + other.entities.get(kind, nothing) for kind in kinds
            },
            silent_utterances=self.silent_utterances + other.silent_utterances,
            silent_seconds=self.silent_seconds + other.silent_seconds,
            silent_words=self.silent_words + other.silent_words,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An utterance with its errors and what it is grouped by.

    Attributes:
        call_id: the call it belongs to: utterances of one call share its noise and its caller.
        language_code: BCP-47 of the caller, not of what was heard.
        turn_type: such as `greeting` or `size`; empty when nobody said.
        score: its errors.
    """

    call_id: str
    language_code: str
    turn_type: str = ""
    score: Score

    @property
    def length(self) -> str:
        """How long it was, in words of the reference."""
        return length_class(self.score.words.reference_words)


def length_class(words: float) -> str:
    """The class of an utterance by its words."""
    return next((name for most, name in _LENGTHS if words <= most), _LONGEST)


GROUPINGS: Mapping[str, Callable[[Scored], str]] = {
    "language": lambda scored: scored.language_code,
    "length": lambda scored: scored.length,
    "turn_type": lambda scored: scored.turn_type,
}


def score(
    reference: str,
    hypothesis: str,
    language_code: str,
    *,
    audio_seconds: float = 0.0,
    grammar: Grammar | None = None,
) -> Score:
    """Errors of one utterance.

    Args:
        reference: what was said; empty when nothing was.
        hypothesis: what was heard.
        language_code: BCP-47 of the caller.
        audio_seconds: how long the audio is.
        grammar: with a user's own words; by default the shipped one.
    """
    grammar = grammar or load_grammar(language_code)
    said = canonical_text(reference, language_code, grammar=grammar)
    heard = canonical_text(hypothesis, language_code, grammar=grammar)
    if not said:
        return Score(silent_utterances=1, silent_seconds=audio_seconds, silent_words=len(heard.split()))
    return Score(
        utterances=1,
        written=word_errors(plain_text(reference), plain_text(hypothesis)),
        words=word_errors(said, heard),
        characters=character_errors(said, heard),
        entities=_entity_errors(entities(said, grammar), entities(heard, grammar)),
    )


def pooled(scored: Iterable[Scored], key: Callable[[Scored], str]) -> dict[str, Score]:
    """Sums by whatever `key` says of an utterance, in the order of the keys."""
    sums: dict[str, Score] = {}
    for one in scored:
        name = key(one)
        sums[name] = sums.get(name, Score()) + one.score
    return dict(sorted(sums.items()))


def _entity_errors(
    said: Counter[tuple[EntityKind, str]], heard: Counter[tuple[EntityKind, str]]
) -> dict[EntityKind, EntityErrors]:
    found: dict[EntityKind, EntityErrors] = {}
    for kind, value in said | heard:
        before, after = said[kind, value], heard[kind, value]
        hits = min(before, after)
        errors = EntityErrors(hits=hits, missed=before - hits, invented=after - hits)
        found[kind] = found.get(kind, EntityErrors()) + errors
    return found
