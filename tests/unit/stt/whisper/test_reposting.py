"""Interims by asking again, over a decoder without a server."""

import asyncio
from dataclasses import replace

import pytest
from tests.unit.stt.whisper.scripted import ScriptedDecoder, settle

from slukh.errors import SttStreamError
from slukh.stt.whisper.decoding import DecodeRequest, Decoding, Upload
from slukh.stt.whisper.reposting import RepostingDecoder

FINAL = DecodeRequest(pcm=bytes(16000), kind="final", language_code="uk-UA")


class BreaksOff:
    """An upload that the server ends while the caller still speaks."""

    def feed(self, pcm: bytes) -> None:
        pass

    def end(self) -> None:
        raise AssertionError("it is over")

    async def decode(self) -> Decoding:
        raise SttStreamError("whisper", "reset")


class Server(ScriptedDecoder):
    def upload(self, request: DecodeRequest) -> Upload:  # type: ignore[override]  # the other one takes none
        return BreaksOff()


async def answered(server: Server, decoder: RepostingDecoder, request: DecodeRequest) -> str:
    decoding = asyncio.create_task(decoder.decode(request))
    await settle()
    await server.says("так")
    return (await decoding).text


async def test_after_an_upload_that_failed_while_the_caller_spoke_no_final_is_due() -> None:
    server = Server()
    decoder = RepostingDecoder(server)
    upload = decoder.upload(FINAL)
    assert upload is not None
    with pytest.raises(SttStreamError):
        await upload.decode()
    upload.end()
    assert await answered(server, decoder, FINAL) == "так"
    assert await answered(server, decoder, replace(FINAL, kind="interim")) == "так"
