from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from slukh.experiment.labelling.questions import Contested, contested
from slukh.experiment.recorded import RecordedUtterance

Make = Callable[..., Contested]


@pytest.fixture
def two_texts() -> Make:
    """Makes a drawn utterance of two texts, with three seconds of audio that counts up."""

    def made(google: str, whisper: str, *, utterance_id: int = 1, probability: float = 0.25) -> Contested:
        recorded = RecordedUtterance(
            call_id="call", utterance_id=utterance_id, caller=None, language_code="uk-UA",
            recorded_at=datetime(2026, 11, 26, tzinfo=UTC), start=4000, end=28_000, speech_start=4000,
            speech_end=28_000, pcm=b"".join(n.to_bytes(2, "little") for n in range(24_000)),
            texts={"google": google, "whisper": whisper}, live="google", arm="google",
        )  # fmt: skip
        found = contested(recorded, probability)
        assert found is not None
        return found

    return made
