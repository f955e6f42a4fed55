"""Settings into who answers: dialogue, voices, what is made beforehand. All calls of a process share it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from slukh.assembly.voices import VoiceNews, build_speaker
from slukh.cost.meter import PHRASE_IDS
from slukh.cost.phrase_tally import PhraseTally
from slukh.dialog.base import Dialog
from slukh.dialog.script import read_script
from slukh.dialog.scripted import ScriptedDialog
from slukh.dialog.tools import tools_in
from slukh.errors import SettingsError, why_unreadable
from slukh.settings.voices import VoiceSettings
from slukh.talking.lines import EXCUSES, FAREWELLS, HANDOVERS
from slukh.talking.talk import Talk, TalkRules
from slukh.talking.thread import Thread, new_thread
from slukh.telephony.line import Earpiece
from slukh.tts.base import SpeechRequest, Voice
from slukh.tts.joining import Joiner
from slukh.tts.phrases import Templates, sentences, speakable
from slukh.tts.shapes import shape_with_head
from slukh.tts.speaker import Speaker, phrases_to_warm
from slukh.tts.templates_file import Learned, read_templates
from slukh.types import CallEvent, CallStarted, Event, PhraseSpoken

logger = logging.getLogger(__name__)

_SECOND_ATTEMPT_SECONDS = 2.0
_NO_TEMPLATES = Templates()


@dataclass(slots=True, kw_only=True)
class Answering:
    """Who answers the calls of a process.

    Attributes:
        dialog: what is said.
        speaker: how.
        rules: when.
        extra: phrases of a list, to have ready.
        learned: sentences that somebody said yes to, taken apart in front of their first hole.
        on_made: told of every phrase that is made at start, for the meter: it may cost money.
    """

    dialog: Dialog
    speaker: Speaker
    rules: TalkRules
    extra: list[SpeechRequest] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    on_made: Callable[[CallEvent], None] = lambda _event: None
    _warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the voices and the dialogue; what is known beforehand is made while calls come in.

        Raises:
            TtsError: no voice can be reached.
            DialogError, SettingsError: the dialogue cannot serve.
        """
        await self.dialog.start()
        await self.speaker.start()
        self._warming = asyncio.create_task(self._warm())

    def talk(
        self,
        call: CallStarted,
        line: Earpiece,
        publish: Callable[[Event], None],
        thread: Thread | None = None,
    ) -> Talk:
        """The talk of one leg of a call, which goes on with the thread of the leg before."""
        if thread is None or thread.is_over:
            now = asyncio.get_running_loop().time()
            thread = new_thread(
                call,
                self.dialog,
                silence_seconds=self.rules.silence_seconds,
                hearing_seconds=self.rules.hearing_seconds,
                now=now,
            )
        thread.report.publish = publish
        return Talk(
            call,
            line,
            thread,
            self.speaker,
            rules=self.rules,
            templates=self._templates(),
        )

    def declared(self) -> list[SpeechRequest]:
        """What is known beforehand, in pieces as they are kept. None of it is any caller's."""
        templates = self._templates()
        own = [
            SpeechRequest(text=text, language_code=code)
            for lines in (EXCUSES, HANDOVERS, FAREWELLS)
            for code, text in lines.items()
        ]
        heads = [SpeechRequest(text=one.head, language_code=one.language_code) for one in self.learned]
        return heads + [
            SpeechRequest(text=piece, language_code=request.language_code)
            for request in (*self.dialog.phrases(), *own, *self.extra)
            for sentence in sentences(speakable(request.text, request.language_code))
            for piece in templates.pieces(sentence)
        ]

    async def aclose(self) -> None:
        """Give everything back."""
        if self._warming is not None:
            self._warming.cancel()
            with suppress(asyncio.CancelledError):
                await self._warming
        await self.speaker.aclose()
        await self.dialog.aclose()

    def _templates(self) -> Templates:
        return Templates.declared(self.dialog.templates, (one.shape for one in self.learned))

    async def _warm(self) -> None:
        pieces = self.declared()
        ready = await self.speaker.warm(
            pieces, on_made=lambda request, voice: self.on_made(made_beforehand(request, voice))
        )
        logger.info("phrases_ready", extra={"phrases": ready, "wanted": len(pieces)})


def build_answering(
    given: VoiceSettings,
    news: VoiceNews | None = None,
    *,
    final_seconds: float = 0.0,
    least_cached_tokens: int | None = None,
    dialog: Dialog | None = None,
) -> Answering | None:
    """The voice that these settings name; None when callers are only heard.

    Args:
        given: settings.
        news: who is told what the voice does.
        final_seconds: that a recogniser may take for its final.
        least_cached_tokens: the shortest prefix that Claude's model caches, as the price book has it.
        dialog: who answers; None: as the settings say.

    Raises:
        SettingsError: a script, a voice or a folder that cannot be used, or an extra that is not installed.
    """
    if not given.slukh_dialog:
        return None
    return Answering(
        dialog=dialog or build_dialog(given, least_cached_tokens=least_cached_tokens),
        speaker=build_speaker(given, news),
        rules=TalkRules(
            silence_seconds=given.slukh_silence_seconds,
            hearing_seconds=max(TalkRules().hearing_seconds, final_seconds + _SECOND_ATTEMPT_SECONDS),
            longest_seconds=given.slukh_talk_seconds,
            barge_in=given.slukh_barge_in,
        ),
        extra=_declared(given.slukh_phrases),
        learned=learned_templates(given),
    )


def _declared(file: Path | None) -> list[SpeechRequest]:
    try:
        return [] if file is None else phrases_to_warm(file)
    except SettingsError as error:
        raise SettingsError(f"SLUKH_PHRASES: {error.problem}", remedy=error.remedy) from error


def learned_templates(given: VoiceSettings) -> list[Learned]:
    """Those with a yes. Raises SettingsError."""
    path = given.slukh_templates
    return [] if path is None else [one for one in read_templates(path) if one.is_spoken]


def made_beforehand(request: SpeechRequest, voice: Voice) -> CallEvent:
    """What the meter is told of a phrase that was made for nobody's call: somebody is paid for it."""
    spoken = PhraseSpoken(
        phrase=1, utterance_id=0, text=request.text, language_code=request.language_code,
        provider=voice.provider, voice=voice.name, characters=len(request.text), outcome="sent", audio_ms=0,
        played_ms=0,
    )  # fmt: skip
    return CallEvent(
        call_id=f"{PHRASE_IDS}{uuid4()}", leg=1, provider=voice.provider, model=voice.name, assigned_arm="",
        received_at=datetime.now(UTC), event=spoken,
    )  # fmt: skip


def phrase_tally(answering: Answering, key: bytes) -> PhraseTally:
    """The sink that counts what these callers hear.

    Args:
        answering: whose phrases.
        key: of the digests.
    """
    declared = {(one.language_code, one.text) for one in answering.declared()}
    return PhraseTally(key, declared=declared, shape_of=shape_with_head)


async def spoken_reply(
    speaker: Speaker, text: str, language_code: str, templates: Templates = _NO_TEMPLATES
) -> bytes:
    """A reply as a caller would hear it, 8 kHz; empty when nothing of it can be said. Raises TtsError."""
    heard = []
    for sentence in sentences(speakable(text, language_code)):
        joiner, pieces = Joiner(), templates.pieces(sentence)
        for number, piece in enumerate(pieces, 1):
            speech = speaker.say(SpeechRequest(text=piece, language_code=language_code))
            heard += [own async for own in joiner.piece(aiter(speech), is_last=number == len(pieces))]
    return b"".join(heard)


def build_dialog(given: VoiceSettings, *, least_cached_tokens: int | None = None) -> Dialog:
    """Who answers.

    Raises:
        SettingsError: a script, a prompt or tools that cannot be used, or an extra that is not installed.
        DialogError: no key of Claude's.
    """
    if given.slukh_dialog != "claude":
        return ScriptedDialog(read_script(Path(given.slukh_dialog)))
    try:
        from slukh.dialog.claude import ClaudeDialog, ClaudeRules
    except ImportError as error:
        raise SettingsError(
            "the client of Claude is not installed", remedy="pip install 'slukh[claude]'"
        ) from error
    key, path = given.slukh_claude_key, given.slukh_claude_prompt
    rules = ClaudeRules(model=given.slukh_claude_model, least_cached_tokens=least_cached_tokens)
    if path is not None:
        rules = replace(rules, persona=_text(path))
    tools = [] if given.slukh_claude_tools is None else tools_in(given.slukh_claude_tools)
    return ClaudeDialog(
        rules,
        tools,
        api_key=None if key is None else key.get_secret_value(),
        base_url=given.slukh_claude_url,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({why_unreadable(error)})", remedy="see SLUKH_CLAUDE_PROMPT"
        ) from error
