"""Several servers of one recogniser as one: each call's next utterance goes to the one with the least to do.

The servers are `Upstreams` among themselves, as the recognisers are among each other: a breaker each, probed
by stored clips. So an ejected server comes back by the same rules as a whole recogniser, only that here it
goes at its first failure instead of the fifth, because there is somebody else. When all have gone, all are
asked.
What a server has to do is its open utterances and one more, times how long its finals take lately.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from slukh.background import in_background
from slukh.errors import SttError, SttLanguageError
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.breaker_store import BreakerStore, Standing
from slukh.routing.health import Clip, Probes
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.base import Capabilities, Hypothesis, Result, StreamConfig, SttProvider, SttStream
from slukh.types import AttemptEnded, AudioChunk, Outcome

logger = logging.getLogger(__name__)

_LEAST_SECONDS = 0.05  # finals that are quicker than this do not tell servers apart
_WEIGHT = 0.3  # of the newest final in a server's average
_OUTLIER_TIMES, _OUTLIER_SECONDS = 4.0, 1.0  # slower than the middle one of the others by both ...
_AVOIDED_SECONDS = 30.0  # ... it is tried again after so long


class ServerPool:
    """An `SttProvider` over several that serve the same.

    Args:
        servers: by `host:port`.
        name: registry name and metric label of all of them.
        store: where their breakers keep their standing.
        clips: what tries a server that failed; by default the stored ones.
    """

    def __init__(
        self,
        servers: Mapping[str, SttProvider],
        *,
        name: str = "whisper",
        store: BreakerStore | None = None,
        clips: Sequence[Clip] | None = None,
    ) -> None:
        self.servers = servers
        self.name = name
        self.model = next(iter(servers.values())).model
        self.upstreams = Upstreams(
            servers,
            limits=Limits(hedge_cap_seconds=None, breaker=BreakerPolicy(bad_run=1)),
            store=store,
            on_standing=self._tell,
        )
        self._clips = clips
        self._open: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._measured_at: dict[str, float] = {}
        self._probing: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What all of them can do."""
        each = [server.capabilities for server in self.servers.values()]
        return Capabilities(
            interim_results=all(c.interim_results for c in each),
            words=all(c.words for c in each),
            metered=any(c.metered for c in each),
            languages=frozenset.intersection(*(c.languages for c in each)),
            max_seconds=min(c.max_seconds for c in each),
        )

    async def start(self) -> None:
        """Start those that are there.

        Raises:
            SttError: none is, or one is not set up as it should be.
        """
        failed: list[SttError] = []
        for key, server in self.servers.items():
            try:
                await server.start()
            except SttError as error:
                failed.append(error)
                if error.is_permanent or len(failed) == len(self.servers):
                    raise type(error)(self.name, f"{key}: {error.detail}", remedy=error.remedy) from error
                logger.warning("server_not_started", extra={"server": key, "error": str(error)})
        if self._probing is None:
            self._probing = in_background(Probes(self.upstreams, self._clips).run())

    async def open(self, config: StreamConfig) -> SttStream:
        """A stream on the server with the least to do; the next one when that cannot be reached.

        Raises:
            SttLanguageError: one that they do not all speak.
            SttError: none took it.
        """
        unknown = {config.language_code, *config.alternative_language_codes} - self.capabilities.languages
        if unknown:  # the caller's fault, and no server's
            raise SttLanguageError(self.name, f"the servers do not speak {', '.join(sorted(unknown))}")
        now = asyncio.get_running_loop().time()
        candidates = [c.name for c in self.upstreams.candidates(tuple(self.servers), config.call_id, now)]
        slow = _outliers({key: self._seconds[key] for key in candidates if key in self._seconds})
        avoided = {key for key in slow if now - self._measured_at[key] < _AVOIDED_SECONDS}
        order = sorted(candidates, key=lambda key: (key in avoided, self._load(key)))
        failure: SttError | None = None
        for key in order:
            try:
                stream = await self.servers[key].open(config)
            except SttError as error:
                self.ended(key, error.error_type, None)
                failure = error
            else:
                self._open[key] += 1
                return PooledStream(stream, self, key)
        assert failure is not None
        raise failure

    def backlog_seconds(self) -> float:
        """Of the one that has least."""
        return min(server.backlog_seconds() for server in self.servers.values())

    async def aclose(self) -> None:
        """Give everything back, whatever one of them raises on the way. Idempotent."""
        probing, self._probing = self._probing, None
        async with contextlib.AsyncExitStack() as closing:
            for server in self.servers.values():
                closing.push_async_callback(server.aclose)
            if probing is not None:
                probing.cancel()
                await asyncio.gather(probing, return_exceptions=True)

    def closed(self, key: str) -> None:
        """A stream is no longer open."""
        self._open[key] -= 1

    def ended(self, key: str, outcome: Outcome, final_seconds: float | None) -> None:
        """A stream ended: `final_seconds` after its utterance where it gave a final."""
        now = asyncio.get_running_loop().time()
        if final_seconds is not None:
            before = self._seconds.get(key, final_seconds)
            self._seconds[key] = before + _WEIGHT * (final_seconds - before)
            self._measured_at[key] = now
        attempt = AttemptEnded(
            utterance_id=0, attempt=1, provider=key, model=self.model, purpose="serve", outcome=outcome,
            audio_samples=0, final_seconds=final_seconds,
        )  # fmt: skip
        self.upstreams.ended(attempt, now)

    def _load(self, key: str) -> float:
        # One that nobody knows yet is taken to be as quick as the quickest.
        final_seconds = self._seconds.get(key, min(self._seconds.values(), default=_LEAST_SECONDS))
        return (self._open[key] + 1) * max(final_seconds, _LEAST_SECONDS)

    def _tell(self, key: str, standing: Standing) -> None:
        logger.warning("whisper_server_standing", extra={"server": key, "state": standing.state})


class PooledStream:
    """An `SttStream` of one server, whose end is told to the pool."""

    def __init__(self, stream: SttStream, pool: ServerPool, key: str) -> None:
        self._stream = stream
        self._pool = pool
        self._key = key
        self._ended_at: float | None = None
        self._is_told = self._is_closed = False

    async def send(self, chunk: AudioChunk) -> None:
        """As the server's."""
        try:
            await self._stream.send(chunk)
        except SttError as error:
            self._tell(error.error_type)
            raise

    async def end(self) -> None:
        """As the server's."""
        self._ended_at = asyncio.get_running_loop().time()
        await self._stream.end()

    async def __aiter__(self) -> AsyncIterator[Result]:
        """As the server's."""
        try:
            async for result in self._stream:
                if isinstance(result, Hypothesis) and result.is_final:
                    self._tell("published" if result.text else "empty")
                yield result
        except SttError as error:
            self._tell(error.error_type)
            raise

    async def close(self) -> None:
        """As the server's."""
        if not self._is_closed:
            self._is_closed = True
            self._pool.closed(self._key)
        await self._stream.close()

    def _tell(self, outcome: Outcome) -> None:
        if self._is_told:
            return
        self._is_told = True
        taken = None
        if outcome in ("published", "empty") and self._ended_at is not None:
            taken = asyncio.get_running_loop().time() - self._ended_at
        self._pool.ended(self._key, outcome, taken)


def _outliers(seconds: Mapping[str, float]) -> set[str]:
    """Servers that are far slower than the middle one of the others; never all of them."""
    found = set()
    for key, own in seconds.items():
        others = sorted(value for other, value in seconds.items() if other != key)
        if others:
            middle = others[len(others) // 2]
            if own > middle * _OUTLIER_TIMES and own > middle + _OUTLIER_SECONDS:
                found.add(key)
    return found
