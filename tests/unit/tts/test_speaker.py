"""What calls get for a sentence: kept, made, or said by the next voice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import rmtree

import pytest

from slukh.errors import SettingsError, TtsConnectError, TtsError, TtsRequestError, TtsStreamError
from slukh.tts.base import SpeechRequest
from slukh.tts.cache import MemoryStore, PhraseStore
from slukh.tts.chain import VoiceChain, spoken
from slukh.tts.disk_cache import DiskStore
from slukh.tts.fake import FakeTts, TtsScript, fake_speech
from slukh.tts.recorded import apology, apology_text
from slukh.tts.speaker import Speaker, Speech, phrases_to_warm

HELLO = SpeechRequest(text="Добрий день!", language_code="uk-UA")
AUDIO = fake_speech(HELLO.text)
DOWN = TtsScript(error=TtsConnectError("first", "down"))


class Lookups(list[tuple[str, int]]):
    def note(self, result: str, characters: int) -> None:
        self.append((result, characters))


def speaker_of(*voices: FakeTts, store: PhraseStore | None = None, lookups: Lookups | None = None) -> Speaker:
    return Speaker(
        VoiceChain(voices),
        MemoryStore(max_bytes=1_000_000),
        store,
        on_lookup=(Lookups() if lookups is None else lookups).note,
    )


async def heard(speech: Speech) -> bytes:
    return b"".join([piece async for piece in speech])


async def test_a_phrase_is_made_once_and_kept() -> None:
    voice, lookups = FakeTts(), Lookups()
    speaker = speaker_of(voice, lookups=lookups)
    first = speaker.say(HELLO)
    assert await heard(first) == AUDIO
    second = speaker.say(HELLO)
    assert await heard(second) == AUDIO
    assert (first.outcome, second.outcome) == ("sent", "cached")
    assert voice.said == [HELLO.text]
    assert lookups == [("miss", 12), ("hit", 12)]


async def test_a_hundred_calls_that_want_one_phrase_at_once_have_it_made_once() -> None:
    voice, lookups = FakeTts(), Lookups()
    speaker = speaker_of(voice, lookups=lookups)
    speeches = [speaker.say(HELLO) for _ in range(100)]
    assert await asyncio.gather(*(heard(speech) for speech in speeches)) == [AUDIO] * 100
    assert [speech.outcome for speech in speeches].count("sent") == 1
    assert voice.said == [HELLO.text]
    assert sorted(result for result, _ in lookups) == ["joined"] * 99 + ["miss"]


async def test_a_phrase_is_made_to_its_end_when_nobody_listens_any_more() -> None:
    voice = FakeTts()
    speaker = speaker_of(voice)
    async for _ in speaker.say(HELLO):
        break
    await heard(speaker.say(HELLO))
    assert voice.said == [HELLO.text]


async def test_another_process_finds_it_on_the_disk(tmp_path: Path) -> None:
    await heard((one := speaker_of(FakeTts(), store=DiskStore(tmp_path, max_bytes=100_000))).say(HELLO))
    await one.aclose()
    voice = FakeTts()
    speech = speaker_of(voice, store=DiskStore(tmp_path, max_bytes=100_000)).say(HELLO)
    assert await heard(speech) == AUDIO
    assert (speech.outcome, voice.said) == ("cached", [])


async def test_a_process_starts_with_what_the_disk_keeps_and_asks_it_no_more(tmp_path: Path) -> None:
    await heard((one := speaker_of(FakeTts(), store=DiskStore(tmp_path, max_bytes=100_000))).say(HELLO))
    await one.aclose()
    again = speaker_of(FakeTts(), store=DiskStore(tmp_path, max_bytes=100_000))
    await again.start()
    rmtree(tmp_path)
    assert (speech := again.say(HELLO)).recording.is_whole  # at once: nothing is waited for
    assert await heard(speech) == AUDIO


async def test_a_disk_that_takes_nothing_does_not_break_speech(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    speaker = speaker_of(FakeTts(), store=DiskStore(tmp_path / "file", max_bytes=100_000))
    assert await heard(speaker.say(HELLO)) == AUDIO


async def test_the_next_voice_speaks_when_the_first_is_down_and_the_first_rests() -> None:
    first, second = FakeTts([DOWN] * 9, name="first"), FakeTts(name="second")
    failed: list[TtsError] = []
    now = [0.0]
    chain = VoiceChain((first, second), on_failed=failed.append, now=lambda: now[0])
    speaker = Speaker(chain, MemoryStore(max_bytes=0))
    for _ in range(3):
        speech = speaker.say(HELLO)
        assert await heard(speech) == AUDIO
        assert speech.recording.voice is not None
        assert speech.recording.voice.provider == "second"
    assert len(first.said) == 1
    now[0] = 60.0
    await heard(speaker.say(HELLO))
    assert len(first.said) == 2
    assert [error.error_type for error in failed] == ["connect", "connect"]


async def test_the_next_voice_speaks_when_the_first_has_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    class Defect(FakeTts):
        async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
            yield bytes(1 // len(self.capabilities.sample_rates_hertz - {8000}))

    assert await heard(speaker_of(Defect(name="first"), FakeTts(name="second")).say(HELLO)) == AUDIO
    assert "voice_defect" in [record.message for record in caplog.records]


async def test_a_sentence_that_breaks_off_is_said_again_whole_and_kept_whole() -> None:
    broken = TtsScript(error=TtsStreamError("first", "reset"), pieces=2)
    speaker = speaker_of(FakeTts([broken], name="first"), FakeTts(name="second"))
    said = await heard(speaker.say(HELLO))
    assert said == AUDIO[:3200] + AUDIO
    kept = speaker.say(HELLO)
    assert await heard(kept) == AUDIO


async def test_a_recording_that_is_not_there_is_no_failure_of_the_pack() -> None:
    failed: list[TtsError] = []
    speaker = Speaker(VoiceChain((apology(), FakeTts()), on_failed=failed.append), MemoryStore(max_bytes=0))
    assert await heard(speaker.say(HELLO)) == AUDIO
    assert failed == []


async def test_when_nobody_can_speak_the_reader_is_told() -> None:
    speaker = speaker_of(FakeTts([DOWN, DOWN], name="first"))
    with pytest.raises(TtsConnectError):
        await heard(speaker.say(HELLO))
    with pytest.raises(TtsRequestError, match="nobody speaks de-DE"):
        await heard(speaker.say(SpeechRequest(text="Hallo", language_code="de-DE")))


@pytest.mark.parametrize("code", ["uk-UA", "ru-RU"])
async def test_the_apology_is_there_in_every_language(code: str) -> None:
    pack = apology()
    said = await spoken(pack, SpeechRequest(text=apology_text(code), language_code=code))
    assert 3 * 16000 < len(said) < 12 * 16000


async def test_phrases_are_ready_before_anybody_calls(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# вітання\nuk-UA Добрий день!\n\nru-RU Добрый день!\n", encoding="utf-8")
    voice = FakeTts()
    speaker = speaker_of(voice)
    made: list[tuple[str, str]] = []
    for _ in range(2):  # what is there already is not made, and not paid for, again
        ready = await speaker.warm(
            phrases_to_warm(tmp_path / "list"),
            on_made=lambda request, said_by: made.append((request.text, said_by.provider)),
        )
        assert ready == 2
    assert speaker.say(HELLO).outcome == "cached"
    assert sorted(voice.said) == ["Добрий день!", "Добрый день!"]
    assert sorted(made) == [("Добрий день!", voice.name), ("Добрый день!", voice.name)]


@pytest.mark.parametrize(("text", "says"), [("uk-UA\n", ":1 has no text"), (None, "cannot be read")])
def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "list").write_text(text)
    with pytest.raises(SettingsError, match=says):
        phrases_to_warm(tmp_path / "list")


async def test_a_chain_without_a_voice_that_starts_says_why() -> None:
    class Unreachable(FakeTts):
        async def start(self) -> None:
            raise TtsConnectError(self.name, "down")

    with pytest.raises(TtsConnectError):
        await VoiceChain([Unreachable()]).start()
    await VoiceChain([Unreachable(), FakeTts(name="works")]).start()


class Late(FakeTts):
    """A voice that can be reached from some moment on, and speaks only once it was started."""

    def __init__(self) -> None:
        super().__init__(name="late")
        self.is_there, self.starts, self.started = False, 0, False
        self.error: Exception = TtsConnectError(self.name, "down")
        self.answers = asyncio.Event()
        self.answers.set()

    async def start(self) -> None:
        self.starts += 1
        await self.answers.wait()
        if not self.is_there:
            raise self.error
        self.started = True

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        if not self.started:
            raise TtsConnectError(self.name, "not started")
        async for piece in super().synthesize(request):
            yield piece


async def said_by(speaker: Speaker) -> str:
    await heard(speech := speaker.say(HELLO))
    assert speech.recording.voice is not None
    return speech.recording.voice.provider


async def test_a_voice_that_could_not_be_reached_at_start_speaks_once_it_can(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    late, now = Late(), [0.0]
    chain = VoiceChain((late, FakeTts(name="second")), now=lambda: now[0])
    speaker = Speaker(chain, MemoryStore(max_bytes=0))
    await speaker.start()
    assert [await said_by(speaker), late.starts] == ["second", 1]
    now[0] = 10.0
    assert [await said_by(speaker), await said_by(speaker), late.starts] == ["second", "second", 2]
    now[0], late.is_there = 20.0, True
    late.answers.clear()
    assert await said_by(speaker) == "second"  # it does not wait for the start
    late.answers.set()
    assert [await said_by(speaker), late.starts] == ["late", 3]
    assert "voice_started" in [record.message for record in caplog.records]


async def test_a_voice_that_is_asked_for_want_of_others_is_started_again_all_the_same() -> None:
    late, now = Late(), [0.0]
    mute = TtsScript(error=TtsConnectError("second", "down"))
    chain = VoiceChain((late, FakeTts([mute] * 9, name="second")), now=lambda: now[0])
    speaker = Speaker(chain, MemoryStore(max_bytes=0))
    await speaker.start()
    late.is_there = True
    for now[0] in (4.0, 8.0):
        with pytest.raises(TtsConnectError):
            await heard(speaker.say(HELLO))
    now[0] = 12.0
    assert await said_by(speaker) == "late"


async def test_a_voice_that_cannot_be_started_for_another_reason_is_said_so_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    late, now = Late(), [0.0]
    chain = VoiceChain((late, FakeTts(name="second")), now=lambda: now[0])
    speaker = Speaker(chain, MemoryStore(max_bytes=0))
    await speaker.start()
    late.error = SettingsError("the file is no voice", remedy="name another")
    for now[0] in (10.0, 20.0):
        assert [await said_by(speaker), late.starts] == ["second", 2]
    assert [record.message for record in caplog.records].count("voice_cannot_start") == 1
    now[0], late.is_there = 70.0, True
    assert [await said_by(speaker), late.starts] == ["late", 3]


async def test_a_start_that_hangs_delays_no_sentence_and_ends_with_the_process() -> None:
    late, now = Late(), [0.0]
    chain = VoiceChain((late, FakeTts(name="second")), now=lambda: now[0])
    speaker = Speaker(chain, MemoryStore(max_bytes=0))
    await speaker.start()
    late.answers.clear()
    for now[0] in (10.0, 60.0, 600.0):
        assert await said_by(speaker) == "second"
    assert late.starts == 2
    async with asyncio.timeout(1.0):
        await speaker.aclose()
