"""Dead, slow, or still loading its model."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from slukh.errors import SttConnectError, SttError, SttOverloadedError, SttTimeoutError
from slukh.routing.health import Clip
from slukh.routing.warming import Patience, Warmed, hear_when_loaded
from slukh.stt.fake import FakeProvider, Script
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.virtual_time import VirtualTimeLoop

CLIP = Clip(language_code="uk-UA", pcm=numbered_speech([1, 2, 3]).tobytes(), text="1 2 3")
FULL = Script(open_error=SttOverloadedError("fake", "503: still loads its model"))
LATE = SttTimeoutError("fake", "not ready in 5 s")


class Looked:
    """What the looking came to, when it was over, and what was said meanwhile."""

    def __init__(self, scripts: Iterator[Script]) -> None:
        self.said: list[str] = []
        self.warmed: Warmed | None = None
        self.error: SttError | None = None
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            self.seconds = runner.run(self._look(FakeProvider(heard_words, scripts)))

    async def _look(self, fake: FakeProvider) -> float:
        patience = Patience(usual_seconds=8.0, most_seconds=60.0, on_wait=self.said.append)
        try:
            self.warmed = await hear_when_loaded(fake, CLIP, patience)
        except SttError as error:
            self.error = error
        return asyncio.get_running_loop().time()


def answers_after(*seconds: float) -> Iterator[Script]:
    return (Script(final_after_seconds=each) for each in seconds)


def test_one_that_is_ready_is_heard_once_and_nothing_is_said() -> None:
    looked = Looked(answers_after(1.0, 99.0))
    assert looked.warmed is not None
    assert (looked.warmed.heard.text, looked.warmed.loading_seconds) == ("1 2 3", None)
    assert looked.said == []


def test_one_that_loads_its_model_is_waited_for_and_judged_by_its_second_answer() -> None:
    looked = Looked(answers_after(23.0, 0.5))
    assert looked.warmed is not None
    assert looked.warmed.loading_seconds == pytest.approx(23.0)
    assert looked.seconds == pytest.approx(23.5)
    assert looked.said == ["no answer in 8 s"]


def test_one_that_says_that_it_loads_is_asked_again_until_it_has() -> None:
    looked = Looked(chain(repeat(FULL, 10), answers_after(0.5)))
    assert looked.warmed is not None
    assert looked.warmed.loading_seconds == pytest.approx(20.5)
    assert looked.said == ["503: still loads its model"]


@pytest.mark.parametrize(
    ("scripts", "kind", "words"),
    [
        (repeat(FULL), SttOverloadedError, "still not ready after 60 s: 503"),
        (repeat(Script(open_error=LATE)), SttTimeoutError, "still not ready after 60 s: not ready in 5 s"),
        (repeat(Script(is_silent=True)), SttTimeoutError, "it is there, and gave no answer in 60 s"),
    ],
)
def test_one_that_stays_away_is_given_up_after_all(
    scripts: Iterator[Script], kind: type[SttError], words: str
) -> None:
    looked = Looked(scripts)
    assert type(looked.error) is kind
    assert words in str(looked.error)
    assert looked.seconds == pytest.approx(60.0)
    assert len(looked.said) == 1


def test_one_that_is_slow_when_it_has_its_model_is_slow() -> None:
    looked = Looked(answers_after(20.0, 20.0))
    assert isinstance(looked.error, SttTimeoutError)
    assert "though it had answered before" in looked.error.detail


def test_one_that_is_dead_is_not_waited_for() -> None:
    looked = Looked(iter([Script(open_error=SttConnectError("fake", "refused"))]))
    assert (type(looked.error), looked.seconds, looked.said) == (SttConnectError, 0.0, [])
