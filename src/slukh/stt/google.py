"""Google Speech-to-Text v2, streaming, through the official client.

A stream opens when speech starts and is half-closed at our endpoint, so silence is not paid for and Google's
own endpointing decides nothing; or the utterances of a call share one (`google_sharing.py`). Deadlines are
ours: the client has none.

The audio is LINEAR16 at 8 kHz as it is. What a stream hears (`GoogleHearing`) and how it is spoken to
(`GoogleStream`) know nothing of how many utterances go through one stream.
"""

import asyncio
from typing import cast

from slukh.errors import SettingsError, SttConnectError, SttLanguageError
from slukh.stt.base import Capabilities, StreamConfig, SttStream
from slukh.stt.google_channel import GoogleLink, Lane, close_lanes, host_of, open_lanes
from slukh.stt.google_requests import GoogleModel, first_request
from slukh.stt.google_sharing import Request, SharedStreams, SharingRules
from slukh.stt.google_stream import GoogleStream
from slukh.stt.google_wire import (
    BROKEN,
    FASTEST,
    GoogleCall,
    Pace,
    RecognizeCall,
    ServerStatus,
    error_of,
    is_cancelled,
)
from slukh.stt.language import SUPPORTED

_DEFAULT_LINK = GoogleLink()


class GoogleProvider:
    """A `SttProvider` over Google's StreamingRecognize.

    Args:
        recognition: project, location, model and what is asked of it.
        link: how Google is reached.
        max_seconds: longest utterance; Google itself ends a stream after five minutes.
        final_seconds: how long after that its final may take; then the stream is ended by its deadline.
        sharing: when the utterances of a call share a stream; None: each has its own.
        fastest: how many times as fast as spoken audio may leave; Google refuses what is much faster.
        name: registry name and metric label.

    Raises:
        SettingsError: no project, no location, or an endpoint that is not on loopback.
    """

    def __init__(
        self,
        recognition: GoogleModel,
        link: GoogleLink = _DEFAULT_LINK,
        *,
        max_seconds: float = 60.0,
        final_seconds: float = 10.0,
        sharing: SharingRules | None = None,
        fastest: float = FASTEST,
        name: str = "google",
    ) -> None:
        if not recognition.project_id:
            raise SettingsError(
                "Google needs a project", remedy="set GOOGLE_STT_PROJECT_ID to the one that pays"
            )
        self.name = name
        self.model = recognition.model
        self.capabilities = Capabilities(
            interim_results=True,
            words=recognition.words,
            metered=True,
            languages=frozenset(SUPPORTED),
            max_seconds=max_seconds,
        )
        self.host = host_of(recognition.location, link.endpoint)
        self._recognition = recognition
        self._link = link
        self._sharing = None
        self._stream_seconds = max_seconds + final_seconds
        if sharing is not None:
            self._stream_seconds += sharing.cut_seconds
            self._sharing = SharedStreams(
                self._open_call, provider=name, max_seconds=max_seconds, rules=sharing
            )
        self._fastest = fastest
        self._lanes: list[Lane] = []

    async def start(self) -> None:
        """Find the credentials and connect; a second time it does nothing.

        Raises:
            SttAuthenticationError: no credentials, or refused ones.
            SttConnectError: Google cannot be reached.
        """
        if not self._lanes:
            self._lanes = await open_lanes(self.name, self.host, self._link)

    async def open(self, config: StreamConfig) -> SttStream:
        """A stream for one utterance.

        What Google refuses in the request (model, location, language, rights) it says after this, in the
        stream.

        Raises:
            SttLanguageError: one that we do not know.
            SttConnectError: no connection in time.
            SttError: Google refused at once.
        """
        for code in (config.language_code, *config.alternative_language_codes):
            if code not in SUPPORTED:
                raise SttLanguageError(self.name, f"does not speak {code}")
        request = first_request(self._recognition, config)
        if self._sharing is not None and config.call_id:
            return await self._sharing.open(config, request)
        return GoogleStream(
            await self._open_call(request),
            config,
            provider=self.name,
            max_seconds=self.capabilities.max_seconds,
        )

    def backlog_seconds(self) -> float:
        """Nobody waits at Google."""
        return 0.0

    async def aclose(self) -> None:
        """Close the connections; open streams fail."""
        lanes, self._lanes = self._lanes, []
        await close_lanes(lanes)
        if self._sharing is not None:
            await self._sharing.wait()

    async def _open_call(self, request: Request) -> GoogleCall:
        """A call on the least busy connection, its first message on its way."""
        if not self._lanes:
            raise SttConnectError(self.name, "not started, or given back")
        lane = min(self._lanes, key=lambda lane: lane.streams)
        lane.streams += 1

        def leave() -> None:
            lane.streams -= 1

        try:
            call, status = await self._call(lane, request)
        except BaseException:
            leave()
            raise
        return GoogleCall(call, status, provider=self.name, pace=Pace(self._fastest), on_cancel=leave)

    async def _call(self, lane: Lane, request: Request) -> tuple[RecognizeCall, ServerStatus]:
        status: ServerStatus | None = None
        try:
            async with asyncio.timeout(self._link.open_seconds):
                answers = await lane.client.streaming_recognize(
                    timeout=self._stream_seconds, metadata=self._link.metadata
                )
                call = cast("RecognizeCall", answers)
                status = ServerStatus(call)
                await call.write(request)
        except TimeoutError as error:
            detail = f"no connection to {self.host} in {self._link.open_seconds:g} s"
            raise SttConnectError(self.name, detail) from error
        except (*BROKEN, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            raise await error_of(self.name, error, status, is_open=False) from error
        return call, status
