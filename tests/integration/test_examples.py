"""What the examples show works as it stands there."""

import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from tests.patience import HUNG_SECONDS

from slukh.experiment.wer import character_errors, plain_text


@pytest.mark.parametrize("language_code", ["uk-UA", "ru-RU"])
def test_the_engine_example_hears_the_sample_call(examples: Path, language_code: str) -> None:
    name = f"tyre-shop-{language_code[:2]}"
    result = subprocess.run(
        [sys.executable, str(examples.parent / "engine.py"), str(examples / f"{name}.wav"), language_code],
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        # However long a busy machine decodes: how soon a final comes is not told here.
        env=os.environ | {"FF_STT_PROVIDER": "whisper", "SLUKH_FINAL_SECONDS": "60"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert len(lines) == 5
    assert {line[0] for line in lines} == {language_code}
    # The second sentence: the others are full of numbers, which Whisper writes as digits.
    said = (examples / f"{name}.txt").read_text(encoding="utf-8").splitlines()[1]
    # Fed eight times as fast as speech, two at once: a short sentence may be done before a long one.
    errors = min(
        character_errors(plain_text(said), plain_text(text)).errors for _language, _confidence, text in lines
    )
    assert errors < 0.35 * len(said), result.stdout


@pytest.mark.parametrize("name", ["nosuch.wav", "stereo.wav"])
def test_the_engine_example_refuses_what_it_would_hear_wrong_in_one_line(
    examples: Path, tmp_path: Path, name: str
) -> None:
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as stereo:
        stereo.setnchannels(2)
        stereo.setsampwidth(2)
        stereo.setframerate(8000)
        stereo.writeframes(bytes(4000))
    result = subprocess.run(
        [sys.executable, str(examples.parent / "engine.py"), str(tmp_path / name), "uk-UA"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"FF_STT_PROVIDER": "whisper"},
        check=False,
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert name in result.stderr
