"""A gateway's parts without a model: fakes that truly hear numbered audio, and an energy detector."""

from collections.abc import Iterable

from slukh.assembly.parts import Parts
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Endpointing
from slukh.speech.vad import EnergyDetector
from slukh.stt.fake import FakeProvider, Script
from slukh.testing.numbered import heard_words


def fake_parts(
    scripts: Iterable[Script] = (), *, policy: AttemptPolicy | None = None, language_code: str = "uk-UA"
) -> Parts:
    """Parts whose one recogniser, `fake`, behaves as its scripts say and then works.

    Args:
        scripts: one for each stream, in the order they are opened.
        policy: deadlines; the usual ones by default.
        language_code: of calls that do not say theirs.
    """
    return Parts(
        detector=EnergyDetector,
        upstreams=Upstreams({"fake": FakeProvider(heard_words, iter(scripts))}),
        endpointing=Endpointing(),
        policy=policy or AttemptPolicy(),
        language_code=language_code,
    )
