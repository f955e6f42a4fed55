"""Several servers of one recogniser as one: each call's next utterance goes to the one with the least to do.

The servers are `Upstreams` among themselves, as the recognisers are among each other: a breaker each, probed
by stored clips. So an ejected server comes back by the same rules as a whole recogniser, only that here it
goes at its first failure instead of the fifth, because there is somebody else. When all have gone, all are
asked. One that is set up wrongly (its key, path or model) is kept away from the start, and no error of its
own is permanent for a caller: another server takes the utterance.
What a server has to do is its open utterances and one more, times how long its finals take lately.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, get_args

from slukh.background import in_background
from slukh.errors import SttAuthenticationError, SttError, SttLanguageError, SttStreamError
from slukh.routing.breaker import BreakerPolicy
from slukh.routing.breaker_store import BreakerStore, Standing
from slukh.routing.health import Clip, Probes, hear_clip, start_error, stored_clips
from slukh.routing.pooled_stream import PooledStream
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.base import Capabilities, StreamConfig, SttProvider, SttStream
from slukh.stt.remedies import all_failed, remedy_for
from slukh.types import AttemptEnded, Outcome

logger = logging.getLogger(__name__)

_LEAST_SECONDS = 0.05  # finals that are quicker than this do not tell servers apart
_WEIGHT = 0.3  # of the newest final in a server's average
_OUTLIER_TIMES, _OUTLIER_SECONDS = 4.0, 1.0  # slower than the middle one of the others by both ...
_AVOIDED_SECONDS = 30.0  # ... it is tried again after so long
_LOOK_SECONDS = 30.0  # for the first clip; the model may have to be loaded for it

Condition = Literal["works", "away", "wrong"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)


class ServerPool:
    """An `SttProvider` over several that serve the same.

    Args:
        servers: by `host:port`.
        name: registry name and metric label of all of them.
        store: where their breakers keep their standing.
        clips: what tries a server that failed; by default the stored ones.
        languages: BCP-47, those of calls; a clip in one of them is the first thing that a server hears.

    Attributes:
        wrong: the servers that refused for good, by key, until they are heard again; and what they said.
        on_conditions: told how many servers are in each condition when that has changed: `wrong` wants an
            operator, `away` comes back by itself.
    """

    def __init__(
        self,
        servers: Mapping[str, SttProvider],
        *,
        name: str = "whisper",
        store: BreakerStore | None = None,
        clips: Sequence[Clip] | None = None,
        languages: Collection[str] = ("uk-UA", "ru-RU"),
    ) -> None:
        self.servers = servers
        self.wrong: dict[str, SttError] = {}
        self.on_conditions: Callable[[Mapping[Condition, int]], None] = lambda _: None
        self.name = name
        self.model = next(iter(servers.values())).model
        self.upstreams = Upstreams(
            servers,
            limits=Limits(hedge_cap_seconds=None, breaker=BreakerPolicy(bad_run=1)),
            store=store,
            on_standing=self._tell,
        )
        self._clips = stored_clips() if clips is None else clips
        self._languages = languages
        self._open: Counter[str] = Counter()
        self._worked: set[str] = set()  # gave a text, and nothing permanent since
        self._seconds: dict[str, float] = {}
        self._measured_at: dict[str, float] = {}
        self._background: list[asyncio.Task[None]] = []

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

    @property
    def conditions(self) -> Mapping[Condition, int]:
        """How many servers are in each."""
        away = sum(breaker.is_failing for breaker in self.upstreams.breakers.values())
        wrong = sum(self.upstreams.breakers[key].is_failing for key in self.wrong)
        return {"works": len(self.servers) - away, "away": away - wrong, "wrong": wrong}

    def kept_away(self) -> dict[str, str]:
        """The servers that no utterance goes to for now, and why as far as it is known."""
        failing = (key for key, breaker in self.upstreams.breakers.items() if breaker.is_failing)
        return {
            key: self.wrong[key].detail if key in self.wrong else "failed, tried by stored clips"
            for key in failing
        }

    async def start(self) -> None:
        """Start all of them at once. One that does not start is kept away, and tried again by clips.

        Raises:
            SttError: none started; its sentence and its remedy name each.
        """
        errors = await asyncio.gather(*map(start_error, self.servers.values()))
        failed = {key: error for key, error in zip(self.servers, errors, strict=True) if error is not None}
        if len(failed) == len(self.servers):
            raise all_failed(failed, name=self.name)
        for key, error in failed.items():
            self._keep_away(key, error)
        self.on_conditions(self.conditions)
        if not self._background:
            work = [Probes(self.upstreams, self._clips).run()]
            work += [self._look(key) for key in self.servers if key not in failed]
            self._background = [in_background(each) for each in work]

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
        order = sorted(candidates, key=lambda key: (key in self.wrong, key in avoided, self._load(key)))
        failure: SttError | None = None
        for key in order:
            try:
                stream = await self.servers[key].open(config)
            except SttError as error:
                failure = self.failed(key, error)
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
        background, self._background = self._background, []
        async with contextlib.AsyncExitStack() as closing:
            for server in self.servers.values():
                closing.push_async_callback(server.aclose)
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    def closed(self, key: str) -> None:
        """A stream is no longer open."""
        self._open[key] -= 1

    def ended(self, key: str, outcome: Outcome, final_seconds: float | None) -> None:
        """A stream ended: `final_seconds` after its utterance where it gave a final."""
        now = asyncio.get_running_loop().time()
        if outcome == "published":
            self.wrong.pop(key, None)
            self._worked.add(key)
        if final_seconds is not None:
            before = self._seconds.get(key, final_seconds)
            self._seconds[key] = before + _WEIGHT * (final_seconds - before)
            self._measured_at[key] = now
        attempt = AttemptEnded(
            utterance_id=0, attempt=1, provider=key, model=self.model, purpose="serve", outcome=outcome,
            audio_samples=0, final_seconds=final_seconds,
        )  # fmt: skip
        self.upstreams.ended(attempt, now)

    def failed(self, key: str, error: SttError) -> SttError:
        """A stream of a server failed: what that is to a caller.

        What a server that is set up wrongly refuses another takes, so it is permanent only when all are.
        """
        self.ended(key, error.error_type, None)
        if not error.is_permanent or self._is_of_one_utterance(key, error):
            return error
        self._mark(key, error)
        if len(self.wrong) < len(self.servers):
            return SttStreamError(self.name, f"{key}: {error.detail}", remedy=remedy_for(error))
        return all_failed(self.wrong, name=self.name)

    async def _look(self, key: str) -> None:
        """Play a server a clip, before a caller is what tries it.

        A wrong path or a model that it does not have shows in an answer only. One that bills is not asked,
        and one that is slow is not judged by its first request.
        """
        server = self.servers[key]
        clip = next((clip for clip in self._clips if clip.language_code in self._languages), None)
        if clip is None or server.capabilities.metered:
            return
        try:
            await hear_clip(server, clip, timeout_seconds=_LOOK_SECONDS)
        except TimeoutError:
            return
        except SttError as error:
            self._keep_away(key, error)

    def _is_of_one_utterance(self, key: str, error: SttError) -> bool:
        """What a server refuses that takes others; and a language, since all have the same model."""
        if isinstance(error, SttLanguageError):
            return True
        return key in self._worked and not isinstance(error, SttAuthenticationError)

    def _keep_away(self, key: str, error: SttError) -> None:
        """A server does not serve. No caller's words were refused, so a permanent error is the server's."""
        if error.is_permanent and not isinstance(error, SttLanguageError):
            self._mark(key, error)
            self.upstreams.keep_away(key, asyncio.get_running_loop().time())
        else:
            logger.warning("whisper_server_away", extra={"server": key, "error": error.detail})
            self.ended(key, error.error_type, None)

    def _mark(self, key: str, error: SttError) -> None:
        """Say what is wrong with a server, once while it stays so."""
        if key not in self.wrong:
            told = {"server": key, "error": error.detail, "remedy": remedy_for(error)}
            logger.error("whisper_server_wrong", extra=told)
        self.wrong[key] = error
        self._worked.discard(key)
        self.on_conditions(self.conditions)

    def _load(self, key: str) -> float:
        # One that nobody knows yet is taken to be as quick as the quickest.
        final_seconds = self._seconds.get(key, min(self._seconds.values(), default=_LEAST_SECONDS))
        return (self._open[key] + 1) * max(final_seconds, _LEAST_SECONDS)

    def _tell(self, key: str, standing: Standing) -> None:
        logger.warning("whisper_server_standing", extra={"server": key, "state": standing.state})
        if standing.state in ("recovering", "closed"):
            self.wrong.pop(key, None)
        self.on_conditions(self.conditions)


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
