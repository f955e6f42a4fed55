"""What people bring to an experiment in files: labels, and figures that are measured elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.counting import label_row
from slukh.experiment.evidence import ARMS, LabelRow, Outside
from slukh.experiment.files import first_fault, numbered_lines, read_text
from slukh.experiment.statistics.counts import Silence


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
    whisper_month_usd: float | None = Field(None, gt=0)


class _Table(BaseModel):
    silent_utterances: int = Field(ge=0)
    silent_seconds: float = Field(ge=0)
    silent_words: list[Annotated[int, Field(ge=1)]]


class _Evaluated(BaseModel):
    all: _Table
    stand_in: str | None


class _Evaluation(BaseModel):
    providers: dict[str, _Evaluated]


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


def read_evaluation(path: Path) -> tuple[dict[str, Silence], str]:
    """What was heard in recordings without speech, by provider, out of `slukh evaluate --json`.

    Returns: nothing where it cannot be said of both; and where it is from, or why it cannot.

    Raises:
        ExperimentError: the file cannot be used.
    """
    found = _parsed(str(path), read_text(path, wanted="what `slukh evaluate --json` said"), _Evaluation)
    silences: dict[str, Silence] = {}
    for arm in ARMS:
        evaluated = found.providers.get(arm)
        if evaluated is None or not evaluated.all.silent_seconds:
            return {}, f"{path} has no recordings without speech that {arm} heard"
        if evaluated.stand_in is not None:
            return {}, f"in {path} {arm} is {evaluated.stand_in}"
        silences[arm] = Silence(seconds=evaluated.all.silent_seconds, words=tuple(evaluated.all.silent_words))
    fewest = min(found.providers[arm].all.silent_utterances for arm in ARMS)
    return silences, f"from {fewest} recordings without speech in {path}"


def _row(label: _Label, grammars: Sequence[Path]) -> LabelRow:
    return label_row(
        call_id=label.call_id,
        utterance_id=label.utterance_id,
        labeller=label.labeller,
        probability=label.probability,
        language_code=label.language_code,
        said=(label.reference, label.reference),
        heard=(label.google, label.whisper),
        grammars=grammars,
    )


def _parsed(where: str, text: str, model: type[T]) -> T:
    try:
        return model.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise ExperimentError(f"{where} is not JSON ({error.msg})", remedy="mend it") from error
    except ValidationError as error:
        fault = first_fault(error, whole="object")
        raise ExperimentError(f"{where}: {fault}", remedy="see doc/experiment.md") from error
