"""A whole call through a real Asterisk: a recorded caller, `slukh serve` with real Whisper, the example
script, the embedded voice and the cache. What was said back is found in the RTP that the telephone got."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.asterisk.test_asterisk import SECRET, SIP, asked_until, every_transport
from tests.said_back import kept_phrases, match

from slukh.audio import linear16_from_mulaw, mulaw_from_linear16, samples_from_linear16
from slukh.audio_files import read_recording
from slukh.errors import SettingsError
from slukh.handset import between_pauses
from slukh.testing.telephone import telephone
from slukh.tts.espeak import EspeakVoice

EXAMPLES = Path(__file__).parents[2] / "examples"
API = "http://127.0.0.1:8080"
RATE = 1.8
GREETING = ["Добрий день!", "Шинний центр.", "Вас цікавлять шини, чи стан замовлення?"]
LIKENESS = 0.99

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.usefixtures("asterisk"),
    pytest.mark.timeout(480),
]


@pytest.fixture(scope="module")
def voice() -> EspeakVoice:
    try:
        return EspeakVoice(speaking_rate=RATE)
    except SettingsError as error:
        pytest.skip(f"NO WHOLE CALL THROUGH ASTERISK IS TESTED: {error}")


@pytest.fixture
def gateway(own_network: None, tmp_path: Path) -> Iterator[Path]:
    """`slukh serve` behind Asterisk; the folder of its phrases."""
    folder = tmp_path / "phrases"
    ours = ("SLUKH_", "FF_", "WHISPER_", "GOOGLE_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings = {
        "FF_STT_PROVIDER": "whisper",
        "SLUKH_API_TOKEN": SECRET,
        "SLUKH_DATA_DIR": str(tmp_path / "data"),
        "SLUKH_DIALOG": str(EXAMPLES / "dialog" / "tyre-shop.yaml"),
        "SLUKH_LOG_LEVEL": "ERROR",
        "SLUKH_PHRASE_CACHE_DIR": str(folder),
        "SLUKH_TTS": "espeak",
        "SLUKH_TTS_RATE": str(RATE),
        "SLUKH_WEBSOCKET_PASSWORD": SECRET,
        "SLUKH_WEBSOCKET_PORT": "9093",
    }
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "slukh", "serve"]
    process = subprocess.Popen(command, env=clean | settings)
    yield folder
    process.terminate()
    process.wait(30)


def client() -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {SECRET}"}
    return httpx.AsyncClient(base_url=API, headers=headers, timeout=10.0, trust_env=False)


async def is_ready() -> bool:
    async with client() as api:
        try:
            return (await api.get("/readyz")).is_success
        except httpx.HTTPError:
            return False


async def events_of_the_call() -> list[dict[str, Any]]:
    """All of them, once it is over."""
    async with client() as api:
        (call,) = (await api.get("/v1/calls")).raise_for_status().json()["calls"]
        feed = (await api.get(f"/v1/calls/{call['call_id']}/events")).raise_for_status().text
    return [json.loads(line[6:]) for line in feed.splitlines() if line.startswith("data: ")]


@every_transport
async def test_a_recorded_caller_is_answered_out_loud(
    number: str, gateway: Path, voice: EspeakVoice, request: pytest.FixtureRequest
) -> None:
    sentences = between_pauses(read_recording(EXAMPLES / "calls" / "tyre-shop-uk.wav").samples)
    wheels = sentences[1]  # "скільки коштує шиномонтаж чотирьох коліс?"
    await asked_until(bool, is_ready)
    async with telephone(SIP) as phone:
        call = await phone.call(number, caller="+380670000000")
        await call.quiet(1.0)
        call.say(wheels)
        await call.said()
        await call.quiet(1.0)
        await call.hang_up()
        events = await events_of_the_call()
    said = [event["text"] for event in events if event["event"] == "phrase_spoken"]
    assert said[: len(GREETING)] == GREETING
    assert said[len(GREETING) :], [event for event in events if event["event"] == "transcript"]
    heard = samples_from_linear16(linear16_from_mulaw(bytes(call.heard)))
    places, shares = [], []
    for text, kept in (await kept_phrases(gateway, voice, "uk-UA", said)).items():
        found = match(heard, linear16_from_mulaw(mulaw_from_linear16(kept)))
        assert found.likeness > LIKENESS, text
        places.append(found.at)
        shares.append(found.exact)
    assert places == sorted(places)
    request.config.get_terminal_writer().line(
        f" {len(said)} phrases were heard, the last {said[-1]!r}; of each at least {min(shares):.1%} of the "
        "samples as they were sent"
    )
