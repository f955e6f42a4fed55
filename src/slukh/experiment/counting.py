"""A label as counts: what was said against what both providers wrote; the texts go no further."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from slukh.experiment.canonical import canonical_text, canonical_version
from slukh.experiment.evidence import UNCLEAR, LabelRow
from slukh.experiment.grammar import load_grammar
from slukh.experiment.scoring import score


def label_row(
    *,
    call_id: str,
    utterance_id: int,
    labeller: str,
    probability: float,
    language_code: str,
    said: tuple[str, str],
    heard: tuple[str, str],
    unclear: int = 0,
    grammars: Sequence[Path] = (),
) -> LabelRow:
    """Errors of Google and of Whisper, in this order wherever there are two.

    Args:
        call_id: which call.
        utterance_id: which utterance.
        labeller: who says so.
        probability: with which it was drawn for labelling.
        language_code: BCP-47, of the call.
        said: what each is held against; another text for each only where both are right in their own way.
            Words are counted in the first.
        heard: what each wrote.
        unclear: places where nobody can tell what was said: they stand neither in `said` nor in `heard`.
        grammars: a user's own.
    """
    grammar = load_grammar(language_code, grammars)
    google, whisper = (
        score(reference, text, language_code, grammar=grammar)
        for reference, text in zip(said, heard, strict=True)
    )
    references = dict.fromkeys(canonical_text(each, language_code, grammar=grammar) for each in said)
    entities = google.entity_errors
    return LabelRow(
        call_id=call_id,
        utterance_id=utterance_id,
        labeller=labeller,
        probability=probability,
        canonical_version=canonical_version(grammar),
        reference=hashlib.sha256("\n".join(references).encode()).hexdigest()[:16] + UNCLEAR * unclear,
        words=google.words.reference_words,
        entities=entities.hits + entities.missed,
        # Where nothing was said, every word heard is one too many.
        google_errors=google.words.errors + google.silent_words,
        whisper_errors=whisper.words.errors + whisper.silent_words,
        google_entity_errors=entities.missed + entities.invented,
        whisper_entity_errors=whisper.entity_errors.missed + whisper.entity_errors.invented,
    )
