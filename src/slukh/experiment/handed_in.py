"""What people bring to an experiment in files: labels, and figures that are measured elsewhere."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.canonical import canonical_text, canonical_version
from slukh.experiment.evidence import LabelRow, Outside
from slukh.experiment.files import first_fault, numbered_lines, read_text
from slukh.experiment.grammar import load_grammar
from slukh.experiment.scoring import score


class _Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    call_id: str = Field(min_length=1)
    utterance_id: int = Field(ge=1)
    labeller: str = Field(min_length=1)
    language_code: str = Field(min_length=2)
    probability: float = Field(gt=0, le=1)
    reference: str
    google: str
    whisper: str


class _Outside(BaseModel):
    model_config = ConfigDict(extra="forbid")

    queue_p95_seconds: float | None = Field(None, ge=0)
    silent_words_per_minute: dict[str, float] = Field(default_factory=dict)
    cost_per_call: dict[str, float] = Field(default_factory=dict)


T = TypeVar("T", bound=BaseModel)

_WANTED = "a file in JSON"


def read_labels(path: Path, grammars: Sequence[Path] = ()) -> tuple[LabelRow, ...]:
    """Labels in JSON lines, as counts; their texts go no further.

        {"call_id": "...", "utterance_id": 3, "labeller": "olena", "language_code": "uk-UA",
         "probability": 0.25, "reference": "...", "google": "...", "whisper": "..."}

    `probability` is the one with which the utterance was drawn for labelling.

    Args:
        path: the file.
        grammars: a user's own.

    Raises:
        ExperimentError: the file, or a line of it, cannot be used; none is taken.
    """
    lines = numbered_lines(read_text(path, wanted=_WANTED))
    return tuple(_row(_parsed(f"{path}, line {number}", line, _Label), grammars) for number, line in lines)


def read_outside(path: Path) -> Outside:
    """Figures that are measured elsewhere, as a JSON object with the fields of `Outside`.

    Raises:
        ExperimentError: the file cannot be used.
    """
    return Outside(**_parsed(str(path), read_text(path, wanted=_WANTED), _Outside).model_dump())


def _row(label: _Label, grammars: Sequence[Path]) -> LabelRow:
    grammar = load_grammar(label.language_code, grammars)
    google, whisper = (
        score(label.reference, heard, label.language_code, grammar=grammar)
        for heard in (label.google, label.whisper)
    )
    said = canonical_text(label.reference, label.language_code, grammar=grammar)
    entities = google.entity_errors
    return LabelRow(
        call_id=label.call_id,
        utterance_id=label.utterance_id,
        labeller=label.labeller,
        probability=label.probability,
        canonical_version=canonical_version(grammar),
        reference=hashlib.sha256(said.encode()).hexdigest()[:16],
        words=google.words.reference_words,
        entities=entities.hits + entities.missed,
        # Where nothing was said, every word heard is one too many.
        google_errors=google.words.errors + google.silent_words,
        whisper_errors=whisper.words.errors + whisper.silent_words,
        google_entity_errors=entities.missed + entities.invented,
        whisper_entity_errors=whisper.entity_errors.missed + whisper.entity_errors.invented,
    )


def _parsed(where: str, text: str, model: type[T]) -> T:
    try:
        return model.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise ExperimentError(f"{where} is not JSON ({error.msg})", remedy="mend it") from error
    except ValidationError as error:
        fault = first_fault(error, whole="object")
        raise ExperimentError(f"{where}: {fault}", remedy="see doc/experiment.md") from error
