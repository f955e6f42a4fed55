"""What `slukh phrases` says of a ledger that knows phrases."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slukh.commands.phrases import app
from slukh.cost.ledger.phrases import record_phrases
from slukh.cost.ledger.store import Ledger
from slukh.cost.phrase_tally import PhraseCount, Tallied, Words
from slukh.errors import UserError

RECORDING = Path(__file__).parents[3] / "src" / "slukh" / "tts" / "apology" / "uk-UA" / "apology.wav"
SORRY = "Вибачте, зараз у нас технічні труднощі."
SHAPE = "Ваше замовлення {n} готове."


def count(phrase: str, characters: int, times: int, shape: str | None = None) -> PhraseCount:
    return PhraseCount(
        phrase=phrase, provider="google", voice="uk-UA-Chirp3-HD-Kore", language_code="uk-UA", shape=shape,
        characters=characters, times=times, sent=1,
    )  # fmt: skip


@pytest.fixture
def phrases(tmp_path: Path) -> Callable[..., str]:
    url, pack = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "pack" / "uk-UA"
    pack.mkdir(parents=True)
    (pack / "sorry.wav").write_bytes(RECORDING.read_bytes())
    (pack / "sorry.txt").write_text(SORRY, encoding="utf-8")
    words = [("known", SORRY), ("shape", SHAPE)]
    with Ledger(url) as ledger:
        tallied = Tallied(
            counts=(
                count("known", len(SORRY), 90),
                *(count(f"order {n}", 28, 100 * n, "shape") for n in (1, 2, 3)),
            ),
            words=tuple(Words(subject=s, language_code="uk-UA", text=t, witness=None) for s, t in words),
        )
        record_phrases(ledger, tallied, now=datetime.now(UTC))
    env = {
        "SLUKH_LEDGER_URL": url, "SLUKH_TTS": "recorded", "SLUKH_TTS_RECORDINGS": str(pack.parent),
        "SLUKH_PHRASE_CACHE_DIR": str(tmp_path / "kept"), "SLUKH_PRICES": "market-2026-11",
    }  # fmt: skip

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_phrases_are_ranked_and_the_words_of_few_callers_are_not_there(phrases: Callable[..., str]) -> None:
    rows = [json.loads(line) for line in phrases("rank", "--json").splitlines()]
    assert [row["phrase"] for row in rows] == ["order 3", "order 2", "known", "order 1"]
    assert [row["text"] for row in rows] == [None, None, SORRY, None]
    assert rows[0]["worth_usd"] == "0.252"
    assert rows[0]["spent_usd"] == "0.00084"
    assert "0.2520" in phrases("rank")


def test_what_the_ledger_knows_the_words_of_is_made_beforehand(phrases: Callable[..., str]) -> None:
    made = f"1 of 1 phrases are ready; 1 were made now, {len(SORRY)} characters"
    assert made in phrases("warm", "--from-ledger")
    assert "0 were made now" in phrases("warm", "--from-ledger")


def test_making_nothing_names_what_to_write(phrases: Callable[..., str]) -> None:
    with pytest.raises(UserError, match="name a file, or write --from-ledger"):
        phrases("warm")


def test_sentences_that_differ_in_a_number_are_proposed_once(
    phrases: Callable[..., str], tmp_path: Path
) -> None:
    assert "3 sentences, said 600 times" in phrases("learn")
    (told,) = map(json.loads, phrases("learn", "--json").splitlines())
    assert (told["text"], told["head"], told["saved_characters"]) == (SHAPE, "Ваше замовлення", 30)
    file = tmp_path / "phrases.yaml"
    assert "1 proposals were added" in phrases("learn", str(file))
    assert "0 proposals were added" in phrases("learn", str(file))
    assert "spoken: no" in file.read_text(encoding="utf-8")


def test_a_ledger_without_phrases_says_so(tmp_path: Path) -> None:
    env = {"SLUKH_LEDGER_URL": f"sqlite:///{tmp_path}/empty.db"}
    for verb, says in (("rank", "nothing was said"), ("learn", "no sentences")):
        assert says in CliRunner().invoke(app, [verb], env=env).stdout
