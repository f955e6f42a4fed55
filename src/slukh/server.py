"""`slukh serve`: a gateway's process with its ports, until SIGTERM has drained it."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from pydantic import SecretStr

from slukh.background import in_background
from slukh.errors import SttError
from slukh.experiment.evidence import OutcomeRow
from slukh.ports import listen
from slukh.routing.health import Canaries
from slukh.serving.gateway import Gateway
from slukh.serving.process import Process, process
from slukh.settings.config import AllSettings, Settings
from slukh.telephony.asterisk_websocket import AsteriskWebSocketCodec
from slukh.telephony.twilio import TwilioCodec
from slukh.web.api import ApiOptions, create_app
from slukh.web.server import WebServer

logger = logging.getLogger(__name__)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_STREAM_LIMIT = 256 * 1024
_FIRST_CLIP_SECONDS = 10.0


async def serve(given: AllSettings) -> None:
    """Run a gateway until SIGTERM or SIGINT has drained it; a second one gives its calls back at once.

    Raises:
        UserError: a port is taken, weights are missing, the ledger cannot be written.
        SttError: no recogniser can ever serve as it is set up; one that is away for now is waited for.
    """
    settings = given.settings
    stop, hurry = _signals()
    async with contextlib.AsyncExitStack() as stack:
        sockets = _sockets(settings, stack)
        running = await stack.enter_async_context(process(given))
        running.answers_at(*sockets["http"].getsockname()[:2])
        canaries = running.canaries()
        web = _web(running, canaries)
        serving_web = asyncio.create_task(web.serve(sockets=[sockets["http"]]))
        await running.start()
        hearing = in_background(canaries.run())
        await _first_clip(canaries, hearing)
        background = [in_background(work) for work in running.background()]
        servers = [
            await asyncio.start_server(handle, sock=sockets[name], limit=_STREAM_LIMIT)
            for name, handle in _handlers(running.gateway, settings).items()
            if name in sockets
        ]
        if len(running.parts.providers) == 1:
            logger.warning("no_backup", extra={"providers": list(running.parts.providers)})
        logger.info("listening", extra={name: listener.getsockname() for name, listener in sockets.items()})
        try:
            await _until(stop, hearing)
        finally:
            for server in servers:
                server.close()
            await running.gateway.drain(settings.slukh_drain_seconds, hurry)
            for task in (hearing, *background):
                task.cancel()
            await asyncio.wait({hearing, *background})
            web.should_exit = True
            await serving_web


async def _first_clip(canaries: Canaries, hearing: asyncio.Task[None]) -> None:
    """Take no connection before it is known that somebody may hear it, unless that takes long.

    Raises:
        SttError: nobody ever will, see `Canaries.run`.
    """
    settled = asyncio.create_task(canaries.settled.wait())
    await asyncio.wait({settled, hearing}, timeout=_FIRST_CLIP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    settled.cancel()
    if hearing.done() and isinstance(error := hearing.exception(), SttError):
        raise error


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first SIGTERM or SIGINT, and by the second one."""
    first, second = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    return first, second


async def _until(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Wait for the signal to stop; a recogniser's error that ends the work comes first.

    A defect that ends it is in the log: no reason to send callers away.
    """
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    if work.done() and isinstance(error := work.exception(), SttError):
        raise error
    await stopping


def _sockets(settings: Settings, stack: contextlib.AsyncExitStack) -> dict[str, socket.socket]:
    """The ports we listen on, taken before anything is loaded."""
    wanted = {
        "audiosocket": (settings.slukh_audiosocket_host, settings.slukh_audiosocket_port),
        "http": (settings.slukh_http_host, settings.slukh_http_port),
        "websocket": (settings.slukh_websocket_host, settings.slukh_websocket_port),
        "twilio": (settings.slukh_twilio_host, settings.slukh_twilio_port),
    }
    return {
        name: stack.enter_context(listen(host, port, name.upper()))
        for name, (host, port) in wanted.items()
        if port is not None
    }


def _web(running: Process, canaries: Canaries) -> WebServer:
    """The HTTP API over everything that the process knows."""
    options = ApiOptions(
        token=_secret(running.settings.slukh_api_token),
        caller_key=running.caller_key,
        language_code=running.parts.language_code,
        alternative_language_codes=running.parts.alternative_language_codes,
        refuse_reason=running.gateway.refuse_reason,
        not_ready=lambda: running.not_ready(canaries),
        degraded=running.parts.kept_away,
        metrics=running.metrics.render,
        outcome=lambda call_id, outcome: running.experiment.put(
            OutcomeRow(call_id=call_id, **outcome.model_dump())
        ),
        forgotten=running.experiment.forget,
        let_go=running.let_go,
    )
    app = create_app(running.book, options)
    return WebServer(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))


def _handlers(gateway: Gateway, settings: Settings) -> dict[str, Handler]:
    """What takes the connections of each transport."""
    password, token = _secret(settings.slukh_websocket_password), _secret(settings.slukh_twilio_token)
    url = settings.slukh_twilio_url
    return {
        "audiosocket": gateway.handle,
        "websocket": lambda reader, writer: gateway.handle(
            reader, writer, AsteriskWebSocketCodec(password=password)
        ),
        "twilio": lambda reader, writer: gateway.handle(
            reader, writer, TwilioCodec(url=url, auth_token=token)
        ),
    }


def _secret(setting: SecretStr | None) -> str | None:
    return None if setting is None else setting.get_secret_value()
