"""A dialogue from a script, without a model and without a key: the same caller gets the same answers.

It understands what its script lists and nothing else; after `patience` turns that it does not understand, it
hands over to a person.
"""

import string
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn, Leave, Say, Step, Used
from slukh.dialog.numbers import digits, size_parts, tyre_size
from slukh.dialog.script import SLOTS, Branch, Script, State
from slukh.tts.base import SpeechRequest
from slukh.tts.phrases import normalised, speakable
from slukh.types import CallStarted

# A script that goes on from state to state without a word of the caller's goes in a circle.
_LONGEST_WALK = 20
_FEWEST_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Where a conversation is; replaced, never changed, so that it can be gone back to."""

    state: str
    language_code: str
    slots: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)  # of what this state collects, understood so far
    unclear: int = 0


class ScriptedDialog:
    """A `Dialog` from a script."""

    def __init__(self, script: Script) -> None:
        self.name = script.name
        self._script = script
        self.templates = tuple(
            speakable(text, code)  # as answers are
            for state in script.states.values()
            for lines in (state.say, state.partly)
            for code, text in lines.items()
            if "{" in text
        )

    async def start(self) -> None:
        """The script was checked when it was read."""

    def phrases(self) -> list[SpeechRequest]:
        """Everything it says that has no hole."""
        script = self._script
        lines = [script.unclear, script.silence]
        lines += [own for state in script.states.values() for own in (state.say, state.unclear)]
        return [
            SpeechRequest(text=text, language_code=code)
            for own in lines
            for code, text in own.items()
            if "{" not in text
        ]

    def converse(self, call: CallStarted, _used: Used | None = None, /) -> "ScriptedConversation":
        """The conversation of a call, in its language where the script has it; no model is used."""
        return ScriptedConversation(self._script, call.language_code)

    async def aclose(self) -> None:
        """Nothing to give back."""


class ScriptedConversation:
    """One call's (`Conversation`)."""

    def __init__(self, script: Script, language_code: str) -> None:
        self._script = script
        language = language_code if language_code in script.languages else script.languages[0]
        self._standing = self._before = _Standing(state=script.start, language_code=language)

    async def greet(self) -> AsyncGenerator[Step, None]:
        """The first state's words."""
        for step in [*self._enter(self._script.start)]:
            yield step

    async def answer(self, turn: CallerTurn) -> AsyncGenerator[Step, None]:
        """What the script says to this."""
        if not (isinstance(turn, CallerPressed) and turn.digit not in self._script.keys):
            self._before = self._standing
        # All the way at once: who interrupts the first sentence is where the last one would have led.
        for step in [*self._react(turn)]:
            yield step

    def interrupted(self, heard: str) -> None:
        """An answer of which nothing was heard was not given; any other stands."""
        if not heard:
            self._standing = self._before

    def close(self) -> None:
        """Nothing goes on behind its answers."""

    @property
    def is_settled(self) -> bool:
        """No model is asked."""
        return True

    async def settled(self) -> None:
        """Likewise."""

    def _react(self, turn: CallerTurn) -> Iterator[Step]:
        match turn:
            case CallerSilent(times=times):
                if times > self._script.patience:
                    yield from self._enter(self._script.give_up)
                else:
                    yield self._line(self._script.silence)
            case CallerPressed(digit=digit):
                if digit in self._script.keys:
                    yield from self._enter(self._script.keys[digit])
            case CallerSaid(text=text, language_code=code):
                if code in self._script.languages:
                    self._move(language_code=code)
                yield from self._hear(text)

    def _hear(self, text: str) -> Iterator[Step]:
        state = self._script.states[self._standing.state]
        branch = self._branch(self._script.everywhere, text)
        collected = self._collect(state, text) or self._put_together(state, text) if branch is None else None
        branch = branch or self._branch(state.when, text)
        forgotten = [] if collected or branch is None else branch.forget
        kept = {slot: value for slot, value in self._standing.slots.items() if slot not in forgotten}
        self._move(slots=self._said_ahead(text) | kept)  # what was confirmed is not changed in passing
        if collected is not None:
            self._fill(collected)
            yield from self._enter(state.goto or self._script.give_up)
        elif branch is not None:
            self._fill(branch.remember)
            yield from self._enter(branch.goto, text)
        elif self._standing.unclear >= self._script.patience:
            yield from self._enter(self._script.give_up)
        else:
            parts = self._parts(state, text)
            self._move(unclear=self._standing.unclear + 1, parts=parts)
            yield self._line(state.partly if parts else state.unclear or self._script.unclear)

    def _branch(self, branches: list[Branch], text: str) -> Branch | None:
        words = normalised(text).split()
        for branch in branches:
            # A caller may answer in the other language before the recogniser has noticed.
            stems = [normalised(stem) for own in branch.hears.values() for stem in own]
            if any(word.startswith(stem) for word in words for stem in stems):
                return branch
        return None

    def _collect(self, state: State, text: str) -> dict[str, str] | None:
        match state.collect:
            case "tyre_size":
                size = tyre_size(text)
                if size is None:
                    return None
                return {"width": str(size.width), "profile": str(size.profile), "rim": str(size.rim)}
            case "number":
                found = digits(text)
                return {"number": found} if len(found) >= _FEWEST_DIGITS else None
            case None:
                return None

    def _parts(self, state: State, text: str) -> dict[str, str]:
        """What is understood of what a state asks for; what was said last counts."""
        found = size_parts(text) if state.partly else {}
        return {**self._standing.parts, **{slot: str(value) for slot, value in found.items()}}

    def _put_together(self, state: State, text: str) -> dict[str, str] | None:
        """All of it, said in more than one turn."""
        parts = self._parts(state, text)
        return parts if parts and parts.keys() == set(SLOTS.get(state.collect or "", ())) else None

    def _said_ahead(self, text: str) -> dict[str, str]:
        """What a caller says before it is asked."""
        states = (state for state in self._script.states.values() if state.ahead)
        answers = (self._branch(state.when, text) for state in states)
        return {slot: value for branch in answers if branch for slot, value in branch.remember.items()}

    def _passed_by(self, state: State, text: str) -> str | None:
        """Where a state leads that need not ask: its answer is known, or among the words that led to it."""
        if state.ahead:
            known = self._standing.slots.items()
            return next((branch.goto for branch in state.when if branch.remember.items() <= known), None)
        if (collected := self._collect(state, text)) is None:
            return None
        self._fill(collected)
        return state.goto

    def _enter(self, name: str, text: str = "") -> Iterator[Step]:
        """Arrive at a state, by these words of the caller's, and go on as far as the script goes."""
        for _ in range(_LONGEST_WALK):
            state = self._script.states[name]
            if (passed_to := self._passed_by(state, text)) is not None:
                name, text = passed_to, ""
                continue
            self._move(state=name, unclear=0, parts={})
            if state.say:
                yield self._line(state.say)
            if state.leave is not None:
                yield Leave(reason=state.leave)
                return
            if state.look_up is not None:
                look_up = state.look_up
                value = self._script.tables[look_up.table].get(self._standing.slots.get(look_up.by, ""))
                if value is not None:
                    self._fill({look_up.into: value})
                name = look_up.missing if value is None else look_up.found
            elif state.waits or state.goto is None:
                return
            else:
                name = state.goto
        yield Leave(reason="handover")

    def _line(self, lines: Mapping[str, str]) -> Say:
        code = self._standing.language_code
        slots = {
            name: self._script.spoken.get(name, {}).get(value, {}).get(code, value)
            for name, value in self._standing.slots.items()
        }
        if parts := self._standing.parts:
            called = self._script.parts
            asked = [slot for slot in called if slot not in parts]
            slots["known"] = ", ".join(
                called[slot].known[code].format_map(parts) for slot in called if slot in parts
            )
            slots["missing"] = ", ".join(called[slot].missing[code] for slot in asked)
        return Say(text=_Filler().vformat(lines[code], (), slots), language_code=code)

    def _fill(self, slots: Mapping[str, str]) -> None:
        self._move(slots={**self._standing.slots, **slots})

    def _move(self, **changes: object) -> None:
        standing = self._standing
        values = {
            "state": standing.state,
            "language_code": standing.language_code,
            "slots": standing.slots,
            "parts": standing.parts,
            "unclear": standing.unclear,
        }
        self._standing = _Standing(**(values | changes))  # type: ignore[arg-type]


class _Filler(string.Formatter):
    """Fills holes; one whose slot was never filled is left out of the sentence."""

    def get_value(self, key: int | str, _args: object, kwargs: Mapping[str, object]) -> object:
        return kwargs.get(str(key), "")
