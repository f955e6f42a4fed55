"""A dialogue's script as it stands in YAML: states, what leads from one to the next, and what is said.

    start: greeting
    states:
      greeting:
        say: {uk-UA: "Добрий день! Чим допомогти?"}
        when:
          - {hears: {uk-UA: [шин, гум, колес]}, goto: size}
      size:
        say: {uk-UA: "Назвіть розмір."}
        collect: tyre_size            # fills {width} {profile} {rim}
        goto: confirm
      confirm:
        say: {uk-UA: "{width} на {profile}, радіус {rim}. Правильно?"}
        when:
          - {hears: {uk-UA: [так]}, goto: operator}
      operator:
        say: {uk-UA: "Чекайте."}
        leave: handover

`hears` are beginnings of words. A state with neither `when` nor `collect` goes on at once. Callers say more
than they are asked: words that lead to a state are looked through for what it collects, and a state that may
be answered `ahead` is passed by when it was. A size that was understood in part is asked for in part:
`partly` says what is `{known}` and what is `{missing}`, in the words of `parts`. examples/dialog has a whole
script.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slukh.errors import SettingsError, why_unreadable
from slukh.yaml_lines import read_yaml

Lines = dict[str, str]
SLOTS = {"tyre_size": ("width", "profile", "rim"), "number": ("number",)}

_REMEDY = "see examples/dialog/tyre-shop.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Branch(_Part):
    """Where certain words lead.

    Attributes:
        hears: language -> beginnings of words, one of which suffices.
        goto: a state.
        remember: slot -> value, such as `season: winter`.
        forget: slots that count as never filled, so that they are asked for again.
    """

    hears: dict[str, list[str]]
    goto: str
    remember: dict[str, str] = Field(default_factory=dict)
    forget: list[str] = Field(default_factory=list)


class Lookup(_Part):
    """A value found by another one.

    Attributes:
        table: one of the script's.
        by: the slot that holds its key.
        into: the slot that the value goes into.
        found: the state for it.
        missing: the state when there is none.
    """

    table: str
    by: str
    into: str
    found: str
    missing: str


class State(_Part):
    """A point of the dialogue.

    Attributes:
        say: language -> what is said on arrival.
        when: what the caller's words lead to; the first that fits.
        ahead: what `when` remembers may be said in any state before; then this one is passed by.
        collect: what is to be found in the caller's words.
        look_up: what is looked up on arrival.
        goto: the next state, once something was collected or, without `when` and `collect`, at once.
        unclear: language -> what is said when nothing fits, in place of the script's own.
        partly: language -> what is said when some of what it collects was understood, with the holes
            `{known}` and `{missing}`; that turn counts as one that was unclear.
        leave: how the call ends here.
    """

    say: Lines = Field(default_factory=dict)
    when: list[Branch] = Field(default_factory=list)
    ahead: bool = False
    collect: Literal["tyre_size", "number"] | None = None
    look_up: Lookup | None = None
    goto: str | None = None
    unclear: Lines = Field(default_factory=dict)
    partly: Lines = Field(default_factory=dict)
    leave: Literal["handover", "goodbye"] | None = None

    @property
    def waits(self) -> bool:
        """Whether the caller has to say something."""
        return bool(self.when or self.collect)


class SlotWords(_Part):
    """How a slot is called when only some of what is collected was understood.

    Attributes:
        known: language -> its value with what it is, such as `ширина {width}`.
        missing: language -> what is asked for.
    """

    known: Lines
    missing: Lines


class Script(_Part):
    """A whole dialogue.

    Attributes:
        name: for logs.
        languages: that it is written in; the first is spoken to callers of any other.
        start: the first state.
        states: by name.
        everywhere: branches that are open in every state, and are looked at first.
        keys: key of the telephone -> state.
        spoken: slot -> value -> language -> how that value is said.
        parts: slot -> how it is called, for `partly`.
        tables: for `look_up`: key -> value.
        unclear: language -> what is said when nothing fits.
        silence: language -> what is said when the caller says nothing.
        give_up: the state after `patience` unclear or silent turns in a row.
        patience: how many are borne.
    """

    name: str
    languages: list[str] = Field(min_length=1)
    start: str
    states: dict[str, State]
    everywhere: list[Branch] = Field(default_factory=list)
    keys: dict[str, str] = Field(default_factory=dict)
    spoken: dict[str, dict[str, Lines]] = Field(default_factory=dict)
    parts: dict[str, SlotWords] = Field(default_factory=dict)
    tables: dict[str, dict[str, str]] = Field(default_factory=dict)
    unclear: Lines
    silence: Lines
    give_up: str
    patience: int = Field(2, ge=0, le=10)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name, state in self.states.items():
            self._check_state(name, state)
        branches = [*self.everywhere, *(branch for state in self.states.values() for branch in state.when)]
        remembered = {slot for branch in branches for slot in branch.remember}
        for slot in (slot for branch in branches for slot in branch.forget):
            if slot not in remembered:
                raise ValueError(f"a branch forgets {slot}, which none remembers")
        for target in (self.start, self.give_up, *self.keys.values(), *(b.goto for b in self.everywhere)):
            self._check_target("the script", target)
        called = (lines for words in self.parts.values() for lines in (words.known, words.missing))
        for lines in (self.unclear, self.silence, *called):
            self._check_lines("the script", lines)
        return self

    def _check_state(self, name: str, state: State) -> None:
        where = f"state {name}"
        targets = [branch.goto for branch in state.when]
        targets += [state.goto] if state.goto else []
        if state.look_up is not None:
            targets += [state.look_up.found, state.look_up.missing]
            if state.look_up.table not in self.tables:
                raise ValueError(f"{where} looks up in {state.look_up.table}, which is no table")
        for target in targets:
            self._check_target(where, target)
        unnamed = [slot for slot in SLOTS.get(state.collect or "", ()) if slot not in self.parts]
        if state.partly and (unnamed or not state.collect):
            raise ValueError(
                f"{where} has partly: add parts for {unnamed[0] if unnamed else 'what it collects'}"
            )
        for lines in (state.say, state.unclear, state.partly):
            if lines:
                self._check_lines(where, lines)
        if state.ahead and not (state.when and all(branch.remember for branch in state.when)):
            raise ValueError(f"{where} may be answered ahead: add remember to each of its when")
        if state.collect and not state.goto:
            raise ValueError(f"{where} collects {state.collect} and goes nowhere: add goto")
        if not (targets or state.leave):
            raise ValueError(f"{where} leads nowhere: add when, goto or leave")

    def _check_target(self, where: str, target: str) -> None:
        if target not in self.states:
            raise ValueError(f"{where} goes to {target}, which is no state")

    def _check_lines(self, where: str, lines: Lines) -> None:
        missing = [code for code in self.languages if not lines.get(code, "").strip()]
        if missing:
            raise ValueError(f"{where} says nothing in {missing[0]}")


def read_script(path: Path) -> Script:
    """The script in a file.

    Raises:
        SettingsError: it cannot be read, is no YAML, or does not hold together; names the place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the dialogue {path} cannot be read ({why_unreadable(error)})",
            remedy="set SLUKH_DIALOG to a script, such as examples/dialog/tyre-shop.yaml, or to claude",
        ) from error
    document = read_yaml(text, file=str(path), refusal=SettingsError, floats="text")
    if not isinstance(document.value, dict):
        raise SettingsError(f"{path} holds no script", remedy=_REMEDY)
    try:
        return Script.model_validate(document.value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if not where:  # between two places, each of which the message names
            raise SettingsError(f"{path}: {message}", remedy=_REMEDY) from error
        raise document.error(first["loc"], f"{where}: {message}", remedy=_REMEDY) from error
