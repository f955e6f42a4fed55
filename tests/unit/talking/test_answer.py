"""What of an answer the caller heard, when they cut it off."""

from slukh.talking.answer import Answer, Phrase
from slukh.talking.mouth import Playing
from slukh.tts.base import SpeechRequest, Voice
from slukh.tts.speaker import Recording, Speech

TEXT = "Один два три чотири."
SECOND = 16000


async def phrase(made_seconds: float, played_seconds: float, *, is_whole: bool = True) -> Phrase:
    recording = Recording()
    recording.voice = Voice(provider="google", name="Kore", language_code="uk-UA")
    recording.grow(bytes(int(made_seconds * SECOND)))
    if is_whole:
        recording.finish()
    request = SpeechRequest(text=TEXT, language_code="uk-UA")
    playing = Playing(played=int(played_seconds * SECOND))
    return Phrase(Speech(request=request, recording=recording), playing=playing)


async def test_what_was_heard_is_a_part_of_what_there_is_and_not_of_what_was_read() -> None:
    answer = Answer(phrases=[await phrase(2.0, 0.5)])
    assert answer.heard() == "Один"
    (spoken,) = answer.spoken(after=0)
    assert (spoken.audio_ms, spoken.played_ms) == (2000, 500)


async def test_of_a_phrase_that_is_still_being_made_more_is_to_come() -> None:
    answer = Answer(phrases=[await phrase(0.4, 0.4, is_whole=False)])
    assert answer.heard() == "Один"
    (spoken,) = answer.spoken(after=0)
    assert spoken.audio_ms == 60 * len(TEXT)


async def test_a_phrase_that_was_joined_to_the_next_one_and_is_over_was_heard_whole() -> None:
    own = await phrase(2.0, 1.8)
    own.is_over = True
    (spoken,) = Answer(phrases=[own]).spoken(after=0)
    assert spoken.audio_ms == spoken.played_ms == 1800
