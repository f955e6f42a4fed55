"""The other recogniser, heard beside the one that serves: to compare the two on the same words.

A shadow is an Attempt that nobody waits for. It begins when an utterance is over and its audio is all there,
it goes behind everything that a caller waits for, and what it hears goes to whoever compares, never to the
call. When there is no room, or a day's budget is spent, it is left out, and counted as left out.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from slukh.errors import SttError
from slukh.speech.segmenter import Utterance
from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.types import AttemptEnded, AudioChunk, Event, Outcome, seconds

logger = logging.getLogger(__name__)

# Above those of the Attempts that serve, so that its usage row has a key of its own.
SHADOW_ATTEMPT = 999
_CHUNK_BYTES = 1600  # 100 ms
_WAITING = 64
# A server of one's own knows no background: one more request at a time is what it can be asked to bear.
_AT_ONCE, _AT_ONCE_METERED = 1, 8
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowHeard:
    """What a shadow heard.

    Attributes:
        call_id: in which call.
        utterance: in which utterance; its own audio may be gone.
        chunks: all of its audio where there is a text, else none.
        provider: who it was.
        text: its final, perhaps empty; None when it did not hear all of it, or gave no answer.
    """

    call_id: str
    utterance: Utterance
    chunks: tuple[AudioChunk, ...] = ()
    provider: str
    text: str | None


class Shadows:
    """The shadows of all calls of a process.

    Args:
        providers: recognisers by registry name.
        minutes_a_day: of audio that shadows may hear between two midnights, UTC; a call that began is heard
            to its end.
        today: the day, UTC.
        patience_seconds: how long a shadow may take.

    Attributes:
        on_heard: told what became of every utterance of a shadowed call; None: nobody compares, so no call is
            shadowed.
    """

    def __init__(
        self,
        providers: Mapping[str, SttProvider],
        *,
        minutes_a_day: float,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._providers = providers
        self._budget_seconds = minutes_a_day * 60
        self._today = today
        self._patience_seconds = patience_seconds
        self._day = today()
        self._spent_seconds = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = {
            name: asyncio.Semaphore(_AT_ONCE_METERED if provider.capabilities.metered else _AT_ONCE)
            for name, provider in providers.items()
        }
        self.on_heard: Callable[[ShadowHeard], None] | None = None

    @property
    def take_calls(self) -> bool:
        """Whether one more call may be shadowed today."""
        if (today := self._today()) != self._day:
            self._day, self._spent_seconds = today, 0.0
        return self.on_heard is not None and self._spent_seconds < self._budget_seconds

    def hear(
        self,
        provider: str,
        utterance: Utterance,
        config: StreamConfig,
        publish: Callable[[Event], None],
    ) -> asyncio.Task[None] | None:
        """Give an utterance that is over to its shadow; returns at once, never raises.

        Args:
            provider: who is the shadow.
            utterance: the live Attempts may let go of its audio any moment.
            config: what the live Attempt was asked for.
            publish: where the Attempt's end goes, for the books.

        Returns: what is over when it has; None when the shadow has no room for it.
        """
        if len(self._tasks) >= _WAITING:
            self._tell(config, utterance, provider, None)
            return None
        self._spent_seconds += seconds(utterance.samples)
        work = self._hear(self._providers[provider], utterance, tuple(utterance.chunks), config, publish)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self, *, grace_seconds: float = 0.0) -> None:
        """Stop all of them. Idempotent.

        Args:
            grace_seconds: how long those that run may still take; what is stopped is lost to the comparison.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hear(
        self,
        provider: SttProvider,
        utterance: Utterance,
        chunks: tuple[AudioChunk, ...],
        config: StreamConfig,
        publish: Callable[[Event], None],
    ) -> None:
        """One Attempt; how it ends is published, what it heard is told."""
        text: str | None = None
        outcome: Outcome = "cancelled"
        error: str | None = None
        is_heard = False
        sent = 0
        began = asyncio.get_running_loop().time()
        # Not the call's: what an engine keeps from one utterance to the next belongs to who serves.
        alone = replace(config, interim_results=False, is_background=True, call_id="")
        try:
            async with asyncio.timeout(self._patience_seconds), self._turns[provider.name]:
                stream = await provider.open(alone)
                try:
                    for chunk in _joined(chunks):
                        await stream.send(chunk)
                        sent += chunk.samples
                    await stream.end()
                    async for result in stream:
                        if isinstance(result, Hypothesis) and result.is_final:
                            text = result.text
                finally:
                    await stream.close()
            outcome = "empty" if not text else "superseded"
            is_heard = text is not None
        except TimeoutError:
            outcome, error = "timeout", f"no final in {self._patience_seconds:.0f} s"
        except SttError as failure:
            outcome, error = failure.error_type, failure.detail
        except Exception:  # a defect in a recogniser must not end anything
            logger.exception("shadow_defect", extra={"provider": provider.name})
            outcome, error = "stream", "a defect of ours, see the log"
        finally:
            took = asyncio.get_running_loop().time() - began
            publish(
                AttemptEnded(
                    utterance_id=utterance.id, attempt=SHADOW_ATTEMPT, provider=provider.name,
                    model=provider.model, purpose="shadow", outcome=outcome, audio_samples=sent,
                    final_seconds=took if is_heard else None, error=error,
                )
            )  # fmt: skip
            heard = (text, chunks) if is_heard else (None, ())
            self._tell(config, utterance, provider.name, *heard)

    def _tell(
        self,
        config: StreamConfig,
        utterance: Utterance,
        provider: str,
        text: str | None,
        chunks: tuple[AudioChunk, ...] = (),
    ) -> None:
        if self.on_heard is None:
            return
        self.on_heard(
            ShadowHeard(
                call_id=config.call_id,
                utterance=utterance,
                chunks=chunks,
                provider=provider,
                text=text,
            )
        )


def _joined(chunks: Sequence[AudioChunk]) -> Iterator[AudioChunk]:
    """The same audio in pieces of 100 ms, voiced where any of it is."""
    pcm, voiced = b"", False
    for chunk in chunks:
        pcm, voiced = pcm + chunk.pcm, voiced or chunk.voiced
        if len(pcm) >= _CHUNK_BYTES:
            yield AudioChunk(pcm=pcm, voiced=voiced)
            pcm, voiced = b"", False
    if pcm:
        yield AudioChunk(pcm=pcm, voiced=voiced)
