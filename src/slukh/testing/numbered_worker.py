"""A Whisper child without Whisper: it hears numbered audio, so that its death can be rehearsed.

`LocalDecoder(Path(), program="slukh.testing.numbered_worker")`
"""

import time
from collections.abc import Mapping
from typing import Any

from slukh.stt.whisper.worker import main
from slukh.testing.numbered import heard_words

DECODE_SECONDS = 0.1


class NumberedModel:
    """What the child loads: nothing."""

    is_multilingual = True

    def __init__(self, folder: str, *, compute_type: str, threads: int, workers: int) -> None:
        """Ignore all of it."""

    def decode(self, asked: Mapping[str, Any], pcm: bytes) -> dict[str, Any]:
        """The numbers in the audio, after `DECODE_SECONDS`."""
        time.sleep(DECODE_SECONDS)
        return {
            "text": " ".join(heard_words(pcm)),
            "avg_logprob": -0.25,
            "no_speech_probability": 0.02,
            "language": next(iter(asked["languages"])),
            "heard": {},
            "token_limit_hit": False,
            "decode_seconds": DECODE_SECONDS,
        }


if __name__ == "__main__":
    main(NumberedModel)
