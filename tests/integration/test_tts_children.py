"""Voices in processes of their own: what happens when they die, hang, or have no voice."""

import asyncio
import sys
from pathlib import Path

import pytest

from slukh.errors import SettingsError, TtsConnectError, TtsProtocolError, TtsStreamError, TtsTimeoutError
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore
from slukh.tts.chain import VoiceChain
from slukh.tts.child import SpeakingChild
from slukh.tts.fake import FakeTts, fake_speech
from slukh.tts.piper import PiperVoices
from slukh.tts.recorded import RecordedVoice
from slukh.tts.rhvoice import RhVoice
from slukh.tts.speaker import Speaker

HELLO = b'{"sample_rate_hertz": 8000}'
SAYS_HELLO = f"import struct, sys, os; o = sys.stdout.buffer; o.write(struct.pack('<i', {len(HELLO)}) + {HELLO!r}); o.flush(); sys.stdin.readline(); "  # noqa: E501


def child(code: str, **seconds: float) -> SpeakingChild:
    return SpeakingChild("child", (sys.executable, "-c", code), **seconds)


async def said(speaking: SpeakingChild) -> bytes:
    return b"".join([piece async for piece in speaking.say({"text": "так"})])


async def test_a_child_that_dies_fails_its_sentence_and_the_next_finds_a_new_one(tmp_path: Path) -> None:
    mark = tmp_path / "died"
    code = SAYS_HELLO + (
        f"first = not os.path.exists({str(mark)!r}); open({str(mark)!r}, 'w').close(); "
        "first and os._exit(1); o.write(struct.pack('<i', 4) + b'abcd' + struct.pack('<i', 0)); o.flush(); "
        "sys.stdin.readline()"
    )
    speaking = child(code)
    with pytest.raises(TtsStreamError):
        await said(speaking)
    assert await said(speaking) == b"abcd"
    await speaking.aclose()


async def test_a_child_that_hangs_is_ended() -> None:
    speaking = child(SAYS_HELLO + "sys.stdin.readline()", frame_seconds=0.2)
    await speaking.start()
    with pytest.raises(TtsTimeoutError):
        await said(speaking)
    await speaking.aclose()


async def test_a_child_that_loads_for_longer_than_a_sentence_waits_is_there_for_the_next(
    tmp_path: Path,
) -> None:
    go, starts = tmp_path / "go", tmp_path / "starts"
    code = (
        f"import os, time; open({str(starts)!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    ) + SAYS_HELLO
    speaking = child(code + "o.write(struct.pack('<i', 4) + b'abcd' + struct.pack('<i', 0)); o.flush()")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await said(speaking)
    go.touch()
    assert await said(speaking) == b"abcd"
    assert starts.read_text() == "x"
    await speaking.aclose()


async def test_a_child_that_still_loads_is_ended_with_the_process() -> None:
    speaking = child("import time; time.sleep(60)")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await speaking.start()
    async with asyncio.timeout(5):
        await speaking.aclose()


async def test_a_child_that_says_more_than_is_read_is_ended_at_once() -> None:
    speaking = child(SAYS_HELLO + "\nwhile True: o.write(struct.pack('<i', 4000) + bytes(4000))")
    speech = speaking.say({"text": "так"})
    await anext(speech)
    await asyncio.sleep(0.3)  # all that asyncio reads ahead
    async with asyncio.timeout(5):
        await speech.aclose()  # type: ignore[attr-defined]  # an async generator's


async def test_a_child_that_says_something_else_is_a_broken_protocol() -> None:
    with pytest.raises(TtsProtocolError):
        await child("print('Hello, I am a web server')").start()


async def test_a_program_that_is_not_there_is_said_so() -> None:
    with pytest.raises(TtsConnectError, match="cannot run"):
        await SpeakingChild("child", ("/nonexistent/voice",)).start()


async def test_a_file_that_is_no_piper_voice_is_refused_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "uk.onnx"
    path.write_bytes(b"not a model")
    (tmp_path / "uk.onnx.json").write_text("{}")
    try:
        voices = PiperVoices({"uk-UA": path})
    except SettingsError as error:
        pytest.skip(f"PIPER IS NOT TESTED: {error}")
    with pytest.raises(SettingsError, match=r"Piper cannot load .*uk\.onnx.*SLUKH_PIPER_VOICES"):
        await voices.start()
    await voices.aclose()


def test_a_piper_voice_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read|not installed"):
        PiperVoices({"uk-UA": tmp_path / "none.onnx"})


def test_rhvoice_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="RHVoice is not installed"):
        RhVoice(program="RHVoice-nowhere")


async def test_the_next_voice_speaks_when_rhvoice_is_gone(tmp_path: Path) -> None:
    program = tmp_path / "RHVoice-test"
    program.touch(mode=0o755)
    chain = VoiceChain([RhVoice({"uk-UA": "natalia"}, program=str(program)), FakeTts()])
    program.unlink()
    speech = Speaker(chain, MemoryStore(max_bytes=0)).say(SpeechRequest(text="Так.", language_code="uk-UA"))
    assert b"".join([piece async for piece in speech]) == fake_speech("Так.")


async def test_a_voice_that_rhvoice_does_not_have_is_named_in_the_log_and_the_next_one_speaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "RHVoice-test"
    program.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    program.chmod(0o755)
    chain = VoiceChain([RhVoice({"uk-UA": "nobody"}, program=str(program)), FakeTts()])
    speech = Speaker(chain, MemoryStore(max_bytes=0)).say(SpeechRequest(text="Так.", language_code="uk-UA"))
    assert b"".join([piece async for piece in speech]) == fake_speech("Так.")
    assert "is the voice installed?" in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("a.wav", b"no wav", "is not a wav file"), ("b.txt", b"words", "holds no recordings")],
)
def test_a_pack_that_cannot_be_played_is_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / "uk-UA").mkdir()
    (tmp_path / "uk-UA" / name).write_bytes(content)
    (tmp_path / "uk-UA" / "a.txt").write_text("words")
    with pytest.raises(SettingsError, match=says):
        RecordedVoice(tmp_path)
