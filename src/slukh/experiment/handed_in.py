"""What people bring to an experiment in files: labels, and figures that are measured elsewhere."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, RootModel, ValidationError

from slukh.errors import ExperimentError
from slukh.experiment.counting import label_row
from slukh.experiment.evidence import ARMS, DrawRow, LabelRow, Outside, SilentCall
from slukh.experiment.files import first_fault, numbered_lines, read_text
from slukh.experiment.gates import Margins, OwnMargin


class _Label(BaseModel):
    model_config = ConfigDict(extra="forbid")

    call_id: str = Field(min_length=1)
    utterance_id: int = Field(ge=1)
    labeller: str = Field(min_length=1)
    language_code: str = Field(min_length=2)
    probability: float = Field(gt=0, le=1)
    reference: str | None
    google: str
    whisper: str


class _Outside(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    queue_p95_seconds: float | None = Field(None, ge=0)
    cost_per_call: dict[str, float] = Field(default_factory=dict)
    whisper_month_usd: float | None = Field(None, gt=0)


class _Margins(RootModel[dict[OwnMargin, Annotated[float, Field(gt=0, allow_inf_nan=False)]]]):
    pass


class _Evaluated(BaseModel):
    stand_in: str | None


class _SilentCall(BaseModel):
    seconds: float = Field(gt=0)
    words: tuple[NonNegativeInt, NonNegativeInt]


class _Compared(BaseModel):
    providers: tuple[str, str]
    silent_calls: list[_SilentCall]


class _Evaluation(BaseModel):
    providers: dict[str, _Evaluated]
    comparisons: list[_Compared]


T = TypeVar("T", bound=BaseModel)

_WANTED = "a file in JSON"


def read_labels(path: Path, draws: Iterable[DrawRow], grammars: Sequence[Path] = ()) -> tuple[LabelRow, ...]:
    """Labels in JSON lines, as counts; their texts go no further.

        {"call_id": "...", "utterance_id": 3, "labeller": "olena", "language_code": "uk-UA",
         "probability": 0.25, "reference": "...", "google": "...", "whisper": "..."}

    `probability` and `language_code` are those of the draw: a label with another probability would stand for
    more utterances than it does, or fewer, and one in another language be counted by that language's rules.
    `null` for the reference says that nobody can tell what was said: an answer, of which nothing is counted.

    Args:
        path: the file.
        draws: every utterance that was drawn.
        grammars: a user's own.

    Raises:
        ExperimentError: the file, or a line of it, cannot be used; none is taken.
    """
    lines = numbered_lines(read_text(path, wanted=_WANTED))
    known = {(row.call_id, row.utterance_id): row for row in draws}
    found = []
    for number, line in lines:
        where = f"{path}, line {number}"
        label = _parsed(where, line, _Label)
        _check(where, label, known.get((label.call_id, label.utterance_id)))
        found.append(_row(label, grammars))
    return tuple(found)


def read_outside(path: Path) -> Outside:
    """Figures that are measured elsewhere, as a JSON object with the fields of `Outside`.

    Raises:
        ExperimentError: the file cannot be used.
    """
    return Outside(**_parsed(str(path), read_text(path, wanted=_WANTED), _Outside).model_dump())


def read_margins(path: Path) -> Margins:
    """An owner's own margins, as a JSON object with names of `OwnMargin`; the others keep their defaults.

    Raises:
        ExperimentError: the file cannot be used.
    """
    own = _parsed(str(path), read_text(path, wanted=_WANTED), _Margins).root
    return replace(Margins(), **cast("dict[str, Any]", own))


def read_evaluation(path: Path) -> tuple[tuple[SilentCall, ...], str]:
    """What both heard in recordings without speech, out of `slukh evaluate --json`.

    Returns: nothing where it cannot be said of both; and where it is from, or why it cannot.

    Raises:
        ExperimentError: the file cannot be used.
    """
    found = _parsed(str(path), read_text(path, wanted="what `slukh evaluate --json` said"), _Evaluation)
    for arm in ARMS:
        evaluated = found.providers.get(arm)
        if evaluated is not None and evaluated.stand_in is not None:
            return (), f"in {path} {arm} is {evaluated.stand_in}"
    for compared in found.comparisons:
        if set(compared.providers) == set(ARMS) and compared.silent_calls:
            words = [dict(zip(compared.providers, call.words, strict=True)) for call in compared.silent_calls]
            return tuple(
                SilentCall(seconds=call.seconds, google_words=of["google"], whisper_words=of["whisper"])
                for call, of in zip(compared.silent_calls, words, strict=True)
            ), f"from {path}"
    return (), f"{path} has no recordings without speech that both heard"


def _check(where: str, label: _Label, drawn: DrawRow | None) -> None:
    """Raises ExperimentError for a label that is not of the draw."""
    if drawn is None:
        raise ExperimentError(
            f"{where}: utterance {label.utterance_id} of call {label.call_id} was not drawn, "
            "no label is taken",
            remedy="label what `slukh ab draw` prints; run it once more with the options of an earlier "
            "version's draw, which was not kept",
        )
    for name in ("probability", "language_code"):
        told, wanted = getattr(label, name), getattr(drawn, name)
        if told != wanted:
            raise ExperimentError(
                f"{where}: {name} is {told}, and utterance {label.utterance_id} of call {label.call_id} was "
                f"drawn with {wanted}, no label is taken",
                remedy=f"take {name} from what `slukh ab draw` printed last for this window",
            )


def _row(label: _Label, grammars: Sequence[Path]) -> LabelRow:
    is_unclear = label.reference is None
    said = label.reference or ""
    return label_row(
        call_id=label.call_id,
        utterance_id=label.utterance_id,
        labeller=label.labeller,
        probability=label.probability,
        language_code=label.language_code,
        said=(said, said),
        heard=("", "") if is_unclear else (label.google, label.whisper),
        unclear=is_unclear,
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
