"""What a check of a Whisper server says in figures and sentences."""

import json
import math
from dataclasses import replace

import pytest

from slukh.conformance.report import (
    Played,
    Report,
    Step,
    bcp_47_sentence,
    disconnect_sentence,
    findings,
    is_doubled,
    revised_share,
    silence_sentence,
    step_of,
    word_errors_of,
)
from slukh.errors import SttStreamError
from slukh.terminal import whisper_tables

ALONE = Step(streams=1, p50_seconds=0.5, p95_seconds=0.6)
FIT = Report(
    url="http://gpu1:8000", dialect="openai", server="speaches", model="large-v3", language_code="uk-UA",
    wer=0.1, words=33, interims=3.0, first_interim_seconds=1.2, revised_share=0.1, why_no_interims="",
    steps=(
        ALONE,
        Step(streams=2, p50_seconds=0.6, p95_seconds=0.7),
        Step(streams=4, p50_seconds=1.0, p95_seconds=2.0),
    ),
    streams=2, doubled_at=4, on_silence="said nothing", on_bcp_47="takes it", on_disconnect="stops",
)  # fmt: skip
FAILED = Played(error=SttStreamError("whisper", "reset"))


def played(text: str, *interims: str, said: str = "", seconds: float = 1.0) -> Played:
    return Played(said=said, text=text, interims=interims, final_seconds=seconds)


def test_the_capacity_file_has_what_the_cost_model_reads() -> None:
    assert FIT.capacity() == {
        "version": 1, "url": "http://gpu1:8000", "model": "large-v3", "streams": 2, "p95_ms": 700,
    }  # fmt: skip


def test_a_server_that_callers_would_complain_of_carries_none() -> None:
    assert replace(FIT, on_silence='invented "Дякую"').capacity()["streams"] == 0


def test_a_server_that_is_fit_has_no_findings() -> None:
    assert findings(FIT) == ()
    assert FIT.as_json()["findings"] == []


def test_a_step_that_nobody_got_through_is_still_json() -> None:
    report = replace(FIT, steps=(ALONE, step_of([FAILED])))
    strict = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert strict["steps"][1] == {"streams": 1, "p50_seconds": None, "p95_seconds": None, "failed": 1}
    assert any("-" in column.cells for table in whisper_tables(strict) for column in table.columns)


def test_no_interims_have_a_reason_in_the_table() -> None:
    none = replace(FIT, interims=0.0, first_interim_seconds=None, why_no_interims="it is slow")
    facts = next(iter(whisper_tables(none.as_json())))
    assert "none: it is slow" in facts.columns[1].cells


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"wer": 0.6}, "60% of 33 words are wrong"),
        ({"steps": (replace(ALONE, p95_seconds=5.0),), "streams": 1}, "5.0 s after the end of speech"),
        ({"steps": (replace(ALONE, failed=2),), "streams": 1}, "2 clips of one caller failed"),
        ({"on_silence": 'invented "Дякую"'}, "voice detection"),
        ({"on_silence": "gave no answer (timeout)"}, "voice detection"),
    ],
)
def test_what_callers_would_feel_is_said_with_what_to_do(change: dict[str, object], sentence: str) -> None:
    (finding,) = findings(replace(FIT, **change))  # type: ignore[arg-type]
    assert sentence in finding


def test_a_step_is_the_median_and_the_95th_percentile_of_those_who_were_served() -> None:
    step = step_of([*(played("так", seconds=n / 10) for n in range(1, 21)), FAILED])
    assert (step.streams, step.p50_seconds, step.p95_seconds, step.failed) == (21, 1.0, 1.9, 1)
    assert step_of([FAILED]).p95_seconds == math.inf


@pytest.mark.parametrize(
    ("step", "doubled"),
    [
        (Step(streams=2, p50_seconds=0.5, p95_seconds=1.1), False),
        (Step(streams=2, p50_seconds=0.5, p95_seconds=1.2), True),
        (Step(streams=2, p50_seconds=0.5, p95_seconds=0.5, failed=1), True),
    ],
)
def test_a_load_is_too_much_when_finals_are_twice_as_late_or_fail(step: Step, doubled: bool) -> None:
    assert is_doubled(step, ALONE) == doubled


def test_word_errors_are_counted_over_all_clips_that_gave_a_text() -> None:
    said = "шини чотири"
    heard = [played("Шини 4.", said=said), played("шини", said=said), played("так", said="так"), FAILED]
    errors = word_errors_of(heard, "uk-UA")
    assert (errors.errors, errors.reference_words) == (1, 5)
    assert word_errors_of([FAILED], "uk-UA").wer is None


def test_the_revised_share_is_of_words_that_the_next_text_does_not_have_there() -> None:
    assert revised_share([played("раз два три", "раз тва", "раз два")]) == 0.25
    assert revised_share([played("раз")]) is None


def test_sentences_say_what_a_server_did() -> None:
    assert silence_sentence(played("")) == "said nothing"
    assert silence_sentence(played("Дякую")) == 'invented "Дякую"'
    assert silence_sentence(Played(dropped=True)) == "invented words, which our guard refused"
    assert silence_sentence(FAILED) == "gave no answer (stream)"
    assert bcp_47_sentence(FAILED, played("так")) == "refuses it (stream)"
    assert bcp_47_sentence(played("Так."), played("так")) == "takes it"
    assert bcp_47_sentence(played("to make"), played("так")) == "takes it and hears something else"
    assert bcp_47_sentence(played(""), played("так")) == "takes it and hears nothing"
    assert disconnect_sentence(2.0, 1.0).startswith("goes on")
    assert disconnect_sentence(1.1, 1.0).startswith("stops")
