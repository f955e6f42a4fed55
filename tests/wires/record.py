"""Record what a real server and our client say to each other: `python -m tests.wires.record URL SERVER FILE`.

A relay on loopback stands between the two and writes a line of JSON for everything that passes (the format is
in `slukh.testing.wire_log`). The stored Ukrainian clip is played at the pace of speech, so a log holds no
person's voice, and audio stands in it as a number of bytes only.
"""

import argparse
import asyncio
import json
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from slukh.conformance.measure import play
from slukh.routing.health import stored_clips
from slukh.stt.whisper.address import address
from slukh.stt.whisper.servers import server_at

Write = Callable[..., None]
_REMAINING = re.compile(r'"remaining_time[^,}]*,?')
_AUDIO = b"Content-Type: audio/wav\r\n\r\n"


async def over_websocket(target: str, write: Write) -> asyncio.Server:
    """A relay for WebSockets; each message is a line."""

    async def relay(client: ServerConnection) -> None:
        assert client.request is not None
        headers = {k: v for k, v in client.request.headers.raw_items() if k == "Authorization"}
        async with connect(
            target + client.request.path, additional_headers=headers, proxy=None, compression=None
        ) as server:

            async def pump(source: Any, sink: Any, name: str) -> None:
                try:
                    async for message in source:
                        write(name, **_said(message))
                        await sink.send(message)
                except ConnectionClosed:
                    pass
                write(name, close=source.close_code or 1006)
                await sink.close(source.close_code if source.close_code in (1000, 1008, 1011) else 1000)

            await asyncio.gather(pump(client, server, "client"), pump(server, client, "server"))

    listening = await serve(relay, "127.0.0.1", 0, ping_interval=None, max_size=None)
    return listening.server


def _said(message: str | bytes) -> dict[str, object]:
    if isinstance(message, bytes):
        return {"audio": len(message)}
    said = json.loads(message)
    if said.get("type") == "input_audio_buffer.append":
        return {"audio": len(b64decode(said["audio"]))}
    return {"text": message}


async def over_tcp(host: str, port: int, write: Write) -> asyncio.Server:
    """A relay for HTTP; heads and answers are text, what follows the head of the file is audio."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, port)

        async def up() -> None:
            while data := await reader.read(65536):
                head, mark, audio = data.partition(_AUDIO)
                if mark or not data.isascii() or data.count(b"\0") > 0:
                    if mark:
                        write("client", text=(head + mark).decode())
                        data = audio
                    write("client", audio=len(data))
                else:
                    write("client", text=data.decode())
                server_writer.write(head + mark + audio)
            server_writer.close()

        async def down() -> None:
            while data := await server_reader.read(65536):
                write("server", text=data.decode(errors="surrogateescape"))
                writer.write(data)
            writer.close()

        await asyncio.gather(up(), down())

    return await asyncio.start_server(relay, "127.0.0.1", 0)


async def recorded(url: str, server: str, model: str, *, words: bool) -> list[dict[str, object]]:
    """What passes while one clip is said through the relay."""
    where = address(url)
    target = urlsplit(where.url)
    assert target.hostname is not None
    assert target.port is not None
    loop = asyncio.get_running_loop()
    began = loop.time()
    clip = stored_clips()[0]
    last: dict[str, str] = {}
    lines: list[dict[str, object]] = [
        {"server": server, "scheme": url.partition("://")[0], "clip": clip.language_code}
    ]

    def write(name: str, **said: object) -> None:
        now = _REMAINING.sub("", str(said.get("text")))
        if now != last.get(name) or "text" not in said:  # WhisperLiveKit repeats itself every 50 ms
            lines.append({"at": round(loop.time() - began, 3), "from": name, **said})
        last[name] = now

    is_http = target.scheme == "http"
    listening = (
        await over_tcp(target.hostname, target.port, write)
        if is_http
        else await over_websocket(f"ws://{target.netloc}", write)
    )
    port = listening.sockets[0].getsockname()[1]
    relayed = url.replace(target.netloc, f"127.0.0.1:{port}")
    provider = server_at(address(relayed), model=model, final_seconds=400.0, interims=False, words=words)
    played = await play(provider, clip)
    await provider.aclose()
    listening.close()
    lines[0] |= {"heard": played.text or str(played.error)}
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url", help="as WHISPER_API_URL has it")
    parser.add_argument("server", help="its name and version")
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--words", action="store_true", help="ask for word timings")
    given = parser.parse_args()
    passed = asyncio.run(recorded(given.url, given.server, given.model, words=given.words))
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in passed)
    given.file.write_text(text, encoding="utf-8")
