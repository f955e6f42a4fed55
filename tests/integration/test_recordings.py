"""What callers said, kept sealed and for a time: in SQLite, and in a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from slukh.errors import ExperimentError
from slukh.experiment.recorded import RecordedUtterance
from slukh.experiment.recordings import Recordings

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
KEY, OTHER_KEY = bytes(range(32)), bytes(32)
ONE = RecordedUtterance(
    call_id="a", utterance_id=1, caller="hash-a", language_code="uk-UA", recorded_at=NOW, start=8000,
    end=24_000, speech_start=10_000, speech_end=20_000, pcm=bytes(range(256)) * 125,
    texts={"google": "шини 205/55", "whisper": "шини\n215/55"}, live="google", arm="whisper",
)  # fmt: skip
TWO = replace(ONE, utterance_id=2, recorded_at=NOW + timedelta(minutes=1))
ANOTHER = replace(ONE, call_id="b", caller=None, recorded_at=NOW + timedelta(days=2))


def opened(url: str, *, key: bytes | None = KEY, days: int | None = 30) -> Recordings:
    return Recordings(url, key=key, days=days)


@pytest.fixture
def kept(url: str) -> Iterator[Recordings]:
    """Recordings of two calls."""
    with opened(url) as recordings:
        recordings.keep([ONE, TWO, ANOTHER])
        yield recordings


@pytest.fixture
def raw(url: str, kept: Recordings) -> Iterator[Engine]:
    """The same database without us."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def test_a_recording_is_read_as_it_was_kept(kept: Recordings) -> None:
    assert (kept.read("a", 1), kept.read("a", 2), kept.read("b", 1)) == (ONE, TWO, ANOTHER)
    assert kept.read("a", 3) is None


def test_one_that_is_kept_again_replaces_the_first(kept: Recordings) -> None:
    kept.keep([replace(ONE, texts={"google": "так"})])
    found = kept.read("a", 1)
    assert found is not None
    assert found.texts == {"google": "так"}
    assert len(kept.listed(NOW, NOW)) == 1


def test_a_window_lists_what_was_recorded_in_it_without_a_key(url: str, kept: Recordings) -> None:
    with opened(url, key=None, days=None) as without:
        found = without.listed(NOW, NOW + timedelta(hours=1))
    assert [(entry.call_id, entry.utterance_id) for entry in found] == [("a", 1), ("a", 2)]
    assert found[0].expires_at == NOW + timedelta(days=30)


def test_nothing_of_what_was_said_can_be_read_in_the_table(raw: Engine) -> None:
    with raw.connect() as connection:
        rows = connection.execute(text("SELECT * FROM ab_recordings")).all()
    stored = repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows]).encode()
    assert b"uk-UA" not in stored
    assert b"205/55" not in stored
    assert repr(ONE.pcm[:64]).encode()[2:-1] not in stored


def test_another_key_is_named_when_something_is_read(url: str, kept: Recordings) -> None:
    with opened(url, key=OTHER_KEY) as other, pytest.raises(ExperimentError, match="another key") as refused:
        other.read("a", 1)
    assert KEY.hex() not in str(refused.value)
    assert OTHER_KEY.hex() not in str(refused.value)


def test_without_a_key_nothing_is_read_or_kept(url: str, kept: Recordings) -> None:
    with opened(url, key=None) as without:
        with pytest.raises(ExperimentError, match="SLUKH_RECORDING_KEY"):
            without.read("a", 1)
        with pytest.raises(ExperimentError, match="SLUKH_RECORDING_KEY"):
            without.keep([ONE])


def test_nothing_is_kept_where_recording_is_off(url: str) -> None:
    with opened(url, days=None) as off, pytest.raises(ExperimentError, match="SLUKH_RECORDING_DAYS"):
        off.keep([ONE])


def test_one_put_in_another_s_place_is_refused(raw: Engine, kept: Recordings) -> None:
    with raw.begin() as connection:
        connection.execute(text("DELETE FROM ab_recordings WHERE call_id = 'b'"))
        connection.execute(
            text("UPDATE ab_recordings SET call_id = 'b' WHERE call_id = 'a' AND utterance_id = 1")
        )
    with pytest.raises(ExperimentError, match="altered"):
        kept.read("b", 1)


def test_what_was_kept_long_enough_goes_whatever_is_set_later(url: str, kept: Recordings) -> None:
    with opened(url, key=None, days=None) as without:
        assert without.expire(NOW + timedelta(days=30) - timedelta(microseconds=1)) == 0
        assert without.expire(NOW + timedelta(days=30)) == 1
    assert (kept.read("a", 1), kept.read("a", 2)) == (None, TWO)


def test_a_shorter_time_is_in_force_for_what_was_promised_longer(url: str, kept: Recordings) -> None:
    with opened(url, days=1) as shorter:
        assert shorter.expire(NOW + timedelta(days=1, hours=1)) == 2
    assert kept.read("b", 1) == ANOTHER


def test_a_call_is_forgotten_and_no_other(kept: Recordings) -> None:
    assert kept.calls_of("hash-a") == ("a",)
    assert kept.forget_call("a") == 2
    assert kept.forget_call("a") == 0
    assert kept.calls_of("hash-a") == ()
    assert kept.read("b", 1) == ANOTHER


def test_of_what_was_forgotten_no_byte_is_left_on_disk(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'experiment.db'}") as recordings:
        recordings.keep([ONE, ANOTHER])
        with create_engine(f"sqlite:///{tmp_path / 'experiment.db'}").connect() as connection:
            query = text("SELECT sealed FROM ab_recordings WHERE call_id = 'a'")
            sealed: bytes = connection.execute(query).scalar_one()
        connection.engine.dispose()
        assert sealed[-64:] in written(tmp_path)
        recordings.forget_call("a")
        assert sealed[-64:] not in written(tmp_path)


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
