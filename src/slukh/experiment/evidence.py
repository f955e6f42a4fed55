"""What a verdict is made of: counts of calls, turns, outcomes, shadows and labels. No text of a caller's.

Stored clips are nobody's words: their texts are kept.

Rows are what the store keeps; `Evidence` is a frozen window of them with everything a verdict depends on, so
that the same evidence gives the same verdict again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ARMS = ("google", "whisper")
WINDOW = timedelta(days=28)  # of live calls, unless somebody says otherwise
GUARDRAIL = "guardrail: "  # how the reason of a change begins that no person made
UNCLEAR = "?"  # in a label's reference, for every place where nobody can tell what was said


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call of the live arms.

    Attributes:
        call_id: which.
        caller: keyed hash of the number, or None when it is withheld.
        language_code: BCP-47, of the call, not of what was heard.
        arm: whom the rollout chose: what the call is analysed by, whoever served it.
        flag_reason: why; only calls of reason `SPLIT` were drawn by lot.
        flag_version: of the flags that chose.
        serving: who served it, at its end.
        models: model of each provider that heard any of it.
        started_at: wall clock, UTC.
        ended_at: wall clock, UTC.
        end_reason: `CallEnded.reason`.
        failovers: switches of provider.
        clock_jumped: its events' moments went backwards, or a minute and more ahead of its audio.
        worker: the gateway that took it; empty where that was not kept.
    """

    call_id: str
    caller: str | None
    language_code: str
    arm: str
    flag_reason: str
    flag_version: str
    serving: str
    models: Mapping[str, str]
    started_at: datetime
    ended_at: datetime
    end_reason: str
    failovers: int = 0
    clock_jumped: bool = False
    worker: str = ""

    @property
    def cluster(self) -> str:
        """What is independent of others: the caller, or the call when the number is withheld."""
        return self.caller or self.call_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One utterance of a live call.

    Attributes:
        call_id: which call.
        utterance_id: which utterance.
        provider: who gave its final; empty when nobody did.
        endpointing_ms: from the end of the voice to our endpoint.
        final_ms: from our endpoint to the final, or None when none came in time.
        is_empty: its final had no words.
        is_salvage: every recogniser failed on it.
    """

    call_id: str
    utterance_id: int
    provider: str
    endpointing_ms: int
    final_ms: int | None
    is_empty: bool = False
    is_salvage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """What the dialogue says of a call; None is what it does not know.

    Attributes:
        call_id: which.
        task_success: the caller got what they called for.
        repairs: turns in which the caller corrected or repeated what was misheard.
        reprompts: turns in which the dialogue asked again.
        transferred: to a person.
        hung_up: the caller hung up on the dialogue.
    """

    call_id: str
    task_success: bool | None = None
    repairs: int | None = None
    reprompts: int | None = None
    transferred: bool | None = None
    hung_up: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """An utterance that both providers were given.

    Attributes:
        call_id: which call.
        utterance_id: which utterance.
        live: the provider the dialogue heard.
        shadow: the other.
        canonical_version: of the texts that were compared.
        is_complete: the shadow heard all of it and answered.
        differing_words: edits between both canonical texts; 0 is word for word the same.
        live_words: words of the live text.
        shadow_words: words of the shadow's.
        live_entities: sizes, numbers, times, prices and names in the live text.
        shadow_entities: in the shadow's.
        audio_ms: how long the utterance is: what a person must listen to for a label.
    """

    call_id: str
    utterance_id: int
    live: str
    shadow: str
    canonical_version: str
    is_complete: bool
    differing_words: int = 0
    live_words: int = 0
    shadow_words: int = 0
    live_entities: int = 0
    shadow_entities: int = 0
    audio_ms: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """The utterance."""
        return self.call_id, self.utterance_id

    @property
    def is_contested(self) -> bool:
        """Whether a label tells something of it: both heard all of it, and wrote different words."""
        return self.is_complete and self.differing_words > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRow:
    """A shadowed utterance that was drawn for labelling.

    Attributes:
        call_id: which call.
        utterance_id: which utterance.
        language_code: BCP-47, of the call.
        probability: with which it was drawn, as labels must say.
        position: in the order in which to label the draw, from 1.
        seed: of the draw.
        since: begin of the window that was drawn, UTC.
        until: its end, UTC.
    """

    call_id: str
    utterance_id: int
    language_code: str
    probability: float
    position: int
    seed: int
    since: datetime
    until: datetime

    @property
    def key(self) -> tuple[str, int]:
        """The utterance."""
        return self.call_id, self.utterance_id

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The draw it belongs to: a window has one."""
        return self.since, self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What a person says was said in a shadowed utterance, as counts.

    Attributes:
        call_id: which call.
        utterance_id: which utterance.
        labeller: who; `adjudicated` settles what others disagree on.
        probability: with which it was drawn for labelling.
        canonical_version: of the texts that were compared.
        reference: digest of the canonical reference, to see whether two labellers agree; then `UNCLEAR` for
            every place that is left out, of both providers, because nobody can tell what was said there.
        words: of the reference.
        entities: of the reference.
        google_errors: words.
        whisper_errors: words.
        google_entity_errors: missed and invented.
        whisper_entity_errors: missed and invented.
    """

    call_id: str
    utterance_id: int
    labeller: str
    probability: float
    canonical_version: str
    reference: str
    words: int
    entities: int
    google_errors: int
    whisper_errors: int
    google_entity_errors: int
    whisper_entity_errors: int

    @property
    def key(self) -> tuple[str, int]:
        """The utterance."""
        return self.call_id, self.utterance_id

    @property
    def is_unclear(self) -> bool:
        """Whether something of it could not be told."""
        return UNCLEAR in self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRow:
    """What a provider made of a stored clip, once.

    Attributes:
        heard_at: wall clock, UTC.
        provider: who.
        model: as it names it.
        language_code: BCP-47, of the clip: there is one for each language.
        canonical_version: under which errors were counted.
        text: as it wrote it.
        words: of the reference.
        errors: words.
    """

    heard_at: datetime
    provider: str
    model: str
    language_code: str
    canonical_version: str
    text: str
    words: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSum:
    """Complete shadowed utterances of one kind, summed.

    Attributes:
        language_code: BCP-47, of the calls.
        live: the provider the dialogue heard.
        shadow: the other.
        canonical_version: of the texts that were compared.
        differing_words: edits between both texts.
        live_words: of the live texts.
        shadow_words: of the shadow's.
    """

    language_code: str
    live: str
    shadow: str
    canonical_version: str
    differing_words: int
    live_words: int
    shadow_words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RampRow:
    """One change of Whisper's share.

    Attributes:
        decided_at: wall clock, UTC.
        from_percent: share before.
        to_percent: share after.
        decision: the verdict at that moment.
        override: why it was changed without a PROMOTE, or None.
        flag_number: of the flag file after it.
        inputs: what the verdict was made of, as in its JSON; none where a guardrail decided.
    """

    decided_at: datetime
    from_percent: int
    to_percent: int
    decision: str
    override: str | None
    flag_number: int
    inputs: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_guardrails(self) -> bool:
        """Whether no person decided it."""
        return (self.override or "").startswith(GUARDRAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentCall:
    """A recording in which nobody speaks, or all of them that are of one call.

    Attributes:
        seconds: its audio.
        google_words: that Google heard in it.
        whisper_words: that Whisper heard.
    """

    seconds: float
    google_words: int
    whisper_words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is measured elsewhere and told to the report; None is not measured.

    Attributes:
        queue_p95_seconds: of Whisper at the traffic it would get, from a load test.
        silent_calls: what both heard where nobody spoke, from `slukh evaluate`.
        cost_per_call: provider -> amount, of one currency.
        cost_errors: provider -> its standard error, where it was counted call by call; empty where handed in.
        price_book: by which those were counted, with its version; empty where handed in.
        whisper_month_usd: what the machines cost that are Whisper's own, and that no call is billed for.
        origins: gate -> where its figure is from, or why there is none.
    """

    queue_p95_seconds: float | None = None
    silent_calls: tuple[SilentCall, ...] = ()
    cost_per_call: Mapping[str, float] = field(default_factory=dict)
    cost_errors: Mapping[str, float] = field(default_factory=dict)
    price_book: str = ""
    whisper_month_usd: float | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A window of an experiment, frozen.

    Attributes:
        since: its begin, UTC.
        until: its end, UTC.
        calls: that ended in it.
        turns: of those calls.
        outcomes: of those calls.
        shadows: of those calls.
        labels: of those calls.
        draws: what was drawn of those calls for labelling.
        canaries: stored clips that were heard in it.
        outside: what is measured elsewhere.
        whisper_share: what the flags gave Whisper at its end, 0 to 1.
        asked_share: what it shall get, likewise, or None where nobody said.
        begins_at: where its begin follows from what happened, or None when no call was drawn by lot.
        begins_why: what was before.
        is_chosen: it begins elsewhere, and has other calls: somebody chose.
        rolled_back: why a guardrail keeps the share at 0, since when; empty while none does.
        flag_version: of the flags in force.
        canonical_version: of this program, by language.
    """

    since: datetime
    until: datetime
    calls: tuple[CallRow, ...]
    turns: tuple[TurnRow, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    shadows: tuple[ShadowRow, ...] = ()
    labels: tuple[LabelRow, ...] = ()
    draws: tuple[DrawRow, ...] = ()
    canaries: tuple[CanaryRow, ...] = ()
    outside: Outside = field(default_factory=Outside)
    whisper_share: float
    asked_share: float | None = None
    begins_at: datetime | None = None
    begins_why: str = ""
    is_chosen: bool = False
    rolled_back: str = ""
    flag_version: str
    canonical_version: Mapping[str, str] = field(default_factory=dict)
