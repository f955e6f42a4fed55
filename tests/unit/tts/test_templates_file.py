from pathlib import Path

import pytest

from slukh.errors import SettingsError
from slukh.tts.templates_file import Learned, add_templates, read_templates

SHAPE, OTHER = "Ваше замовлення {n} готове.", 'Ваша знижка «{n}» діє до "{month}".'
ENTRY = '- shape: "Ваше замовлення {n} готове."\n  language: uk-UA\n  spoken: yes\n'


def test_what_is_proposed_has_a_no_until_somebody_writes_a_yes(tmp_path: Path) -> None:
    path = tmp_path / "phrases.yaml"
    assert add_templates(path, [(SHAPE, "uk-UA", "9 sentences"), (OTHER, "uk-UA", "5 sentences")]) == 2
    assert read_templates(path) == [
        Learned(shape=SHAPE, language_code="uk-UA", is_spoken=False),
        Learned(shape=OTHER, language_code="uk-UA", is_spoken=False),
    ]


def test_decisions_and_comments_stay_when_more_is_proposed(tmp_path: Path) -> None:
    path = tmp_path / "phrases.yaml"
    path.write_text(f"# heard by Olena\n{ENTRY}", encoding="utf-8")
    assert add_templates(path, [(SHAPE, "uk-UA", "again"), (OTHER, "uk-UA", "new")]) == 1
    assert path.read_text(encoding="utf-8").startswith(f"# heard by Olena\n{ENTRY}")
    assert [one.is_spoken for one in read_templates(path)] == [True, False]
    assert read_templates(path)[0].head == "Ваше замовлення"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shape: x\n", ":1: a list is wanted"),
        ("- shape: x\n", ":1: an entry has language, shape, spoken"),
        (ENTRY.replace("yes", '"maybe"'), ":3: neither yes nor no"),
        (ENTRY.replace("готове.", "готове?"), ":1: this sentence is not to be taken apart"),
        (ENTRY.replace("{n}", "4512"), ":1: this sentence is not to be taken apart"),
        ("- [", "no YAML"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "phrases.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        read_templates(path)


def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_templates(tmp_path)
    with pytest.raises(SettingsError, match="cannot be written"):
        add_templates(tmp_path / "none" / "phrases.yaml", [(SHAPE, "uk-UA", "")])
