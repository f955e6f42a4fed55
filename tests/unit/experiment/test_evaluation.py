import json
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from slukh.errors import ExperimentError
from slukh.experiment.evaluation import Evaluated, Heard, Request, Results, report
from slukh.experiment.manifest import Manifest, Problem, Row
from slukh.terminal import evaluation_tables

HEARD = Heard(
    provider="whisper", model="base", audio="0" * 16, language_code="uk-UA", text="так", audio_seconds=2.0,
    took_seconds=1.0, final_seconds=(0.4,), is_paced=True,
    requests=(Request(outcome="published", sent_ms=1_800),),
)  # fmt: skip
SAID = ["так дві шини", "мені 205/55 R16", "ні дякую", ""]


def evaluated(
    *providers: list[str],
    problems: tuple[Problem, ...] = (),
    said: list[str] = SAID,
    times: int = 1,
    call_id: str | None = None,
) -> dict[str, Any]:
    """A report of providers that each heard these texts so many times over, of a call each unless of one."""
    rows = tuple(
        Row(line=line, audio=Path("a.wav"), text=text, language_code="uk-UA", call_id=call_id or str(line))
        for line, text in enumerate(said * times, start=1)
    )
    heard = {
        name: {
            line: replace(HEARD, provider=name, text=text) for line, text in enumerate(texts * times, start=1)
        }
        for name, texts in zip(("whisper", "google"), providers, strict=False)
    }
    manifest = Manifest(rows=rows, problems=())
    return report(Evaluated(manifest=manifest, heard=heard, problems=problems))


def test_what_was_heard_is_not_heard_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl")
    results.add(HEARD)
    again = Results(tmp_path / "r.jsonl")
    assert again.get(HEARD.key) == HEARD
    assert HEARD.requests == (Request(outcome="published", sent_ms=1_800),)
    assert again.get(replace(HEARD, model="small").key) is None
    assert again.get(replace(HEARD, is_paced=False).key) is None


def test_a_line_of_an_earlier_version_is_heard_already_and_does_not_know_what_was_sent(
    tmp_path: Path,
) -> None:
    values = asdict(HEARD)
    del values["requests"]
    (tmp_path / "r.jsonl").write_text(json.dumps(values) + "\n", encoding="utf-8")
    assert Results(tmp_path / "r.jsonl").get(HEARD.key) == replace(HEARD, requests=None)


def test_a_line_that_a_crash_cut_off_is_forgotten_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = Results(path)
    results.add(HEARD)
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    cut = Results(path)
    assert cut.get(HEARD.key) is None
    cut.add(HEARD)
    assert Results(path).get(HEARD.key) == HEARD


def test_results_that_cannot_be_written_name_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExperimentError, match="--results"):
        Results(tmp_path / "file" / "r.jsonl")


def test_the_table_has_rates_intervals_and_silence_apart() -> None:
    found = evaluated(["так дві шини", "мені 215/55 r16", "ні", "дякую"])["providers"]["whisper"]
    table = found["all"]
    assert (table["utterances"], table["words"]) == (3, 7)
    assert table["wer"] == pytest.approx(2 / 7)
    assert (table["calls"], table["wer_interval"], table["is_too_few_calls"]) == (3, None, True)
    assert table["entity_error_rates"] == {"quantity": 0.0, "size": 1.0}
    assert table["silent_words_per_minute"] == 30.0
    assert (table["silent_seconds"], table["silent_words"]) == (2.0, 1)
    assert list(found["length"]) == ["1 to 2 words", "3 to 8 words", "nothing said"]
    assert found["latency"]["final_seconds_p50"] == pytest.approx(0.4)


def test_calls_enough_have_an_interval_and_too_few_say_so() -> None:
    heard = ["так дві шини", "мені 215/55 r16", "ні", "дякую"]
    found = evaluated(heard, SAID, times=5)
    table, (compared,) = found["providers"]["whisper"]["all"], found["comparisons"]
    assert table["calls"] == 15
    assert table["wer_interval"][0] <= 2 / 7 <= table["wer_interval"][1]
    assert compared["wer_difference_interval"] is not None
    few = evaluated(heard, SAID, times=4)
    told = [said(part) for part in (few, found)]
    assert "few calls" in told[0]
    assert "WER, too few calls for an interval (12)" in told[0]
    assert "few calls" not in told[1]


def said(report: dict[str, Any]) -> str:
    """As a person reads it."""
    for provider in report["providers"].values():
        provider["cost"] = {"usd": None, "reason": "no price"}
        for name in ("language", "length", "turn_type"):
            provider[name] = {}
    console = Console(width=200, file=StringIO())
    console.print(*evaluation_tables(report), sep="\n")
    told: Any = console.file
    return str(told.getvalue())


def test_two_providers_are_compared_on_the_rows_that_both_heard() -> None:
    found = evaluated(["так дві шини", "мені 205/55 R16", "ні дякую", ""], ["так дві шини", "мені", "дякую"])
    (compared,) = found["comparisons"]
    assert compared["providers"] == ["whisper", "google"]
    assert compared["utterances"] == 3
    assert compared["wer_difference"] == pytest.approx(2 / 7)
    assert compared["mapsswe"]["segments"] == 2
    assert not compared["mapsswe"]["is_enough"]
    assert compared["silent_calls"] == []


def test_what_both_heard_in_silence_is_told_call_by_call() -> None:
    (compared,) = evaluated([*SAID[:3], "дякую за перегляд"], SAID)["comparisons"]
    assert compared["silent_calls"] == [{"seconds": 2.0, "words": [3, 0]}]


def test_rows_of_one_call_are_one_and_bound_nothing() -> None:
    texts = ["так дві", "мені 215/55 r16", "ні", "дякую"], ["так", "мені 205/55 R16", "дякую", "за перегляд"]
    for call_id, is_bounded in ((None, True), ("7", False)):
        found = evaluated(*texts, times=5, call_id=call_id)
        (compared,) = found["comparisons"]
        assert (found["providers"]["whisper"]["all"]["wer_interval"] is not None) == is_bounded
        assert (compared["wer_difference_interval"] is not None) == is_bounded


def test_recordings_without_speech_that_are_of_one_call_are_one() -> None:
    heard = ["за перегляд", "дякую"], ["", "дякую"]
    (compared,) = evaluated(*heard, said=["", ""], call_id="7")["comparisons"]
    assert compared["silent_calls"] == [{"seconds": 4.0, "words": [3, 1]}]


def test_rows_that_are_all_alike_have_a_rate_and_no_interval() -> None:
    found = evaluated(SAID, SAID)
    table, (compared,) = found["providers"]["whisper"]["all"], found["comparisons"]
    assert (table["wer"], table["wer_interval"]) == (0.0, None)
    assert (compared["wer_difference"], compared["wer_difference_interval"]) == (0.0, None)


def test_a_report_with_a_row_left_out_says_so() -> None:
    assert evaluated(SAID)["is_complete"]
    found = evaluated(SAID, problems=(Problem(line=9, problem="b.wav does not exist"),))
    assert not found["is_complete"]
    assert found["problems"] == [{"line": 9, "problem": "b.wav does not exist"}]
