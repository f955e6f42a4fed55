from pathlib import Path

import pytest

from slukh.errors import ExperimentError
from slukh.experiment.manifest import Manifest, read_manifest


def manifest(folder: Path, content: str, name: str = "m.jsonl") -> Manifest:
    (folder / "a.wav").touch()
    (folder / name).write_text(content, encoding="utf-8")
    return read_manifest(folder / name, language_code="uk-UA")


def test_json_lines_and_csv_say_the_same(tmp_path: Path) -> None:
    lines = '{"audio": "a.wav", "text": "так, дві", "call_id": "7"}\n\n{"audio": "a.wav", "text": ""}\n'
    table = 'audio,text,call_id\na.wav,"так, дві",7\na.wav,,\n'
    found = manifest(tmp_path, lines).rows
    assert [(row.text, row.call_id, row.language_code) for row in found] == [
        ("так, дві", "7", "uk-UA"), ("", "a.wav", "uk-UA"),
    ]  # fmt: skip
    also = manifest(tmp_path, table, "m.csv").rows
    assert [(row.text, row.call_id) for row in also] == [(row.text, row.call_id) for row in found]


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert manifest(tmp_path, "\ufeffaudio,text\na.wav,так\n", "m.csv").rows[0].text == "так"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"audio": "b.wav", "text": "так"}', "b.wav does not exist"),
        ('{"audio": "a.wav"}', "text: Field required"),
        ('{"audio": "a.wav", "text": "так", "lang": "uk"}', "lang"),
        ('{"audio": "a.wav", "text": 7}', "text"),
        ('{"audio": "a.wav", "text": "так"', "not JSON"),
        ("[]", "dictionary"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_left_out(tmp_path: Path, line: str, words: str) -> None:
    found = manifest(tmp_path, f'{{"audio": "a.wav", "text": "так"}}\n{line}\n')
    assert len(found.rows) == 1
    (problem,) = found.problems
    assert problem.line == 2
    assert words in problem.problem


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    found = manifest(tmp_path, '{"audio": "a.wav", "text": "так\u2028ні"}\r\n{"audio": "a.wav"}\r\n')
    assert [row.text for row in found.rows] == ["так\u2028ні"]
    assert [problem.line for problem in found.problems] == [2]


def test_a_csv_row_with_a_cell_too_many_is_named(tmp_path: Path) -> None:
    (problem,) = manifest(tmp_path, "audio,text\na.wav,так,дві\n", "m.csv").problems
    assert "surplus" in problem.problem


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="holds no row"):
        manifest(tmp_path, "\n")
    with pytest.raises(ExperimentError, match="cannot be read"):
        read_manifest(tmp_path / "none.jsonl", language_code="uk-UA")
    (tmp_path / "cp1251.jsonl").write_bytes('{"audio": "a.wav", "text": "так"}'.encode("cp1251"))
    with pytest.raises(ExperimentError, match="UTF-8"):
        read_manifest(tmp_path / "cp1251.jsonl", language_code="uk-UA")
