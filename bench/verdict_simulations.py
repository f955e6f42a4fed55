"""Does the whole verdict promote what it must not? `python bench/verdict_simulations.py [SCALE]`.

Windows of calls with a known truth go through `verdict`, as `slukh ab report` makes it, on every other day
from the 14th to the 28th. A day has 60 calls, half of them Whisper's, and 20 recordings without speech, of a
minute each; a call has about 3 turns of 8 words, all of them shadowed, and half of the utterances that differ
are labelled. Callers call twice in the mean (geometric), one in a hundred of them 30 times: arm, language,
difficulty, delays, faults and half of the cost's variance are the caller's, and each recogniser finds other
callers hard as well (0.3 logits). Half of the callers have failed tasks and repairs, the others never.
Margins are wider, as such a window is smaller than weeks of real traffic. One measure at a time is as bad as
its margin allows, and all others as good as Google's; then all of them are. SCALE divides the number of
repetitions.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from slukh.experiment.evidence import (
    ARMS,
    CallRow,
    CanaryRow,
    DrawRow,
    Evidence,
    LabelRow,
    OutcomeRow,
    Outside,
    ShadowRow,
    SilentCall,
    TurnRow,
)
from slukh.experiment.gates import Margins
from slukh.experiment.statistics.estimates import Floats, by_cluster, long_tailed
from slukh.experiment.verdict import verdict
from slukh.testing.simulated_errors import Traffic, Turns, simulated_callers, simulated_turns

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, CALLS_A_DAY, RECORDINGS_A_DAY = 28, 60, 20
CALLS = DAYS * CALLS_A_DAY
LOOKS = range(14, DAYS + 1, 2)
LANGUAGES = ("uk-UA", "ru-RU")
TRAFFIC = Traffic(turns=3.0, own_spread=0.3)
MARGINS = Margins(
    wer=0.03, wer_of_language=0.05, entity_errors=0.06, task_success=0.08, repairs=0.08,
    ttfs_p95_seconds=0.15, unheard=0.02, left_to_another=0.03, planned_calls=CALLS, planned_shadowed=CALLS,
)  # fmt: skip
# What may be as bad as its margin: the field of the margins, and its gate.
GATES = {
    "wer": "word error rate", "wer_of_language": "word error rate in ru-RU", "entity_errors": "entity errors",
    "task_success": "failed tasks", "repairs": "calls with repairs", "ttfs_p95_seconds": "time to final, p95",
    "unheard": "turns unheard", "left_to_another": "turns left to another",
    "words_in_silence": "words in silence", "cost_per_call": "cost per call",
}  # fmt: skip

Generator = np.random.Generator
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """28 days, and what is measured elsewhere meanwhile."""

    evidence: Evidence
    usd: Floats  # of every call
    recordings: tuple[SilentCall, ...]

    def until(self, day: int) -> Evidence:
        """What a report sees at the end of a day."""
        calls = self.evidence.calls[: day * CALLS_A_DAY]
        known = {call.call_id for call in calls}
        costs = {}
        for arm in ARMS:
            members = [n for n, call in enumerate(calls) if call.arm == arm]
            callers = [calls[n].cluster for n in members]
            costs[arm] = long_tailed(*by_cluster(callers, self.usd[members], np.ones(len(members))))
        until = BEGAN + timedelta(days=day)
        return replace(
            self.evidence,
            until=until,
            calls=calls,
            turns=tuple(row for row in self.evidence.turns if row.call_id in known),
            outcomes=self.evidence.outcomes[: len(calls)],
            shadows=tuple(row for row in self.evidence.shadows if row.call_id in known),
            labels=tuple(row for row in self.evidence.labels if row.call_id in known),
            draws=tuple(row for row in self.evidence.draws if row.call_id in known),
            canaries=tuple(row for row in self.evidence.canaries if row.heard_at < until),
            outside=Outside(
                queue_p95_seconds=0.3,
                silent_calls=self.recordings[: day * RECORDINGS_A_DAY],
                cost_per_call={arm: cost.value for arm, cost in costs.items()},
                cost_errors={arm: cost.standard_error for arm, cost in costs.items()},
            ),
        )


def simulated(generator: Generator, bad: frozenset[str]) -> Window:
    """Whisper is as good as Google, but for what is bad: that is at its margin. It costs 0.8 of Google."""

    def more(measure: str) -> float:
        return float(getattr(MARGINS, measure)) if measure in bad else 0.0

    caller = simulated_callers(generator, CALLS)
    people = int(caller.max()) + 1
    is_whispers = (generator.random(people) < 0.5)[caller]
    language = generator.integers(0, 2, people)[caller]
    has_trouble = 2 * (generator.random(people) < 0.5)[caller]
    in_russian = max(more("wer"), more("wer_of_language"))
    # Half of the calls are Russian, so that both margins are met together.
    in_ukrainian = 2 * more("wer") - in_russian if "wer" in bad else 0.0
    rates = 0.18, 0.18 + in_ukrainian, 0.18 + in_russian
    turns = simulated_turns(generator, CALLS, tuple(map(TRAFFIC.level, rates)), TRAFFIC, caller)
    whisper_errors = np.where(language[turns.call] == 1, turns.errors[2], turns.errors[1])
    calls = tuple(
        CallRow(
            call_id=f"{n:05}", caller=f"c{caller[n]}", language_code=LANGUAGES[language[n]],
            arm=ARMS[int(is_whispers[n])], flag_reason="SPLIT", flag_version="1-a",
            serving=ARMS[int(is_whispers[n])], models={"google": "chirp_3", "whisper": "base"},
            started_at=BEGAN + timedelta(days=1) * (n / CALLS_A_DAY),
            ended_at=BEGAN + timedelta(days=1) * (n / CALLS_A_DAY) + timedelta(seconds=90),
            end_reason="hangup",
        )
        for n in range(CALLS)
    )  # fmt: skip
    shadows, labels = compared(
        generator, calls, turns, whisper_errors, entity_errors=0.1 + more("entity_errors")
    )
    extra = {measure: np.where(is_whispers, more(measure), 0.0) for measure in GATES}
    outcomes = tuple(
        OutcomeRow(call_id=call.call_id, task_success=bool(done), repairs=int(repaired))
        for call, done, repaired in zip(
            calls,
            generator.random(CALLS) > has_trouble * (0.1 + extra["task_success"]),
            generator.random(CALLS) < has_trouble * (0.1 + extra["repairs"]),
            strict=True,
        )
    )
    invented = generator.random(DAYS * RECORDINGS_A_DAY) < more("words_in_silence")
    return Window(
        evidence=Evidence(
            since=BEGAN, until=BEGAN + timedelta(days=DAYS), calls=calls,
            turns=tuple(live_turns(generator, calls, caller, turns.call, extra)), outcomes=outcomes,
            shadows=shadows, labels=labels, draws=drawn(labels),
            canaries=tuple(clips()), whisper_share=0.5, flag_version="1-a",
            canonical_version={"uk-UA": "1-x"},
        ),
        usd=0.02 * generator.lognormal(0, 0.35, people)[caller] * generator.lognormal(0, 0.35, CALLS)
        * np.where(is_whispers, 1.0 if "cost_per_call" in bad else 0.8, 1.0),
        recordings=tuple(
            SilentCall(seconds=60, google_words=0, whisper_words=int(words))
            for words in invented * generator.geometric(0.2, len(invented))
        ),
    )  # fmt: skip


def compared(
    generator: Generator, calls: tuple[CallRow, ...], turns: Turns, whisper_errors: NDArray[np.int_], *,
    entity_errors: float,
) -> tuple[tuple[ShadowRow, ...], tuple[LabelRow, ...]]:  # fmt: skip
    """All utterances shadowed; 0.7 of them have an entity, of which Google gets a tenth wrong."""
    size = len(turns.call)
    has_entity = (generator.random(size) < 0.7).astype(int)
    missed = [has_entity * (generator.random(size) < share) for share in (0.1, entity_errors)]
    differing = np.maximum(abs(turns.errors[0] - whisper_errors), abs(missed[0] - missed[1]))
    is_labelled = (differing > 0) & (generator.random(size) < 0.5)
    shadows, labels = [], []
    for n, at in enumerate(turns.call):
        call, words, entities = calls[at], int(turns.words[n]), int(has_entity[n])
        shadows.append(
            ShadowRow(
                call_id=call.call_id, utterance_id=n, live=call.arm, shadow=ARMS[call.arm == "google"],
                canonical_version="1-x", is_complete=True, differing_words=int(differing[n]),
                live_words=words, shadow_words=words, live_entities=entities, shadow_entities=entities,
                audio_ms=3000,
            )
        )  # fmt: skip
        if is_labelled[n]:
            labels.append(
                LabelRow(
                    call_id=call.call_id, utterance_id=n, labeller="olena", probability=0.5,
                    canonical_version="1-x", reference="r", words=words, entities=entities,
                    google_errors=int(turns.errors[0][n]), whisper_errors=int(whisper_errors[n]),
                    google_entity_errors=int(missed[0][n]), whisper_entity_errors=int(missed[1][n]),
                )
            )  # fmt: skip
    return tuple(shadows), tuple(labels)


def drawn(labels: tuple[LabelRow, ...]) -> tuple[DrawRow, ...]:
    """The draw that the labels are of, all of it: in an order that no call knows of."""
    return tuple(
        DrawRow(
            call_id=label.call_id, utterance_id=label.utterance_id, language_code="uk-UA",
            probability=label.probability, position=int(position) + 1, seed=1, since=BEGAN,
            until=BEGAN + timedelta(days=DAYS),
        )
        for label, position in zip(labels, np.random.default_rng(18).permutation(len(labels)), strict=True)
    )  # fmt: skip


def live_turns(
    generator: Generator, calls: tuple[CallRow, ...], caller: NDArray[np.int_], of_call: NDArray[np.int_],
    extra: dict[str, Floats],
) -> Iterator[TurnRow]:  # fmt: skip
    """A caller in five has a bad line: turns are unheard, or left to another, in no other."""
    people = int(caller.max()) + 1
    bad_line = 5 * (generator.random(people) < 0.2)[caller]
    seconds = generator.normal(0.5, 0.1, people)[caller][of_call] + generator.gamma(2.0, 0.1, len(of_call))
    seconds += extra["ttfs_p95_seconds"][of_call]
    unheard, left = (
        generator.random(len(of_call)) < (bad_line * (0.01 + extra[measure]))[of_call]
        for measure in ("unheard", "left_to_another")
    )
    for n, at in enumerate(of_call):
        arm = calls[at].arm
        yield TurnRow(
            call_id=calls[at].call_id, utterance_id=n, provider=ARMS[arm == "google"] if left[n] else arm,
            endpointing_ms=500, final_ms=max(0, int(1000 * seconds[n])), is_empty=bool(unheard[n]),
        )  # fmt: skip


def clips() -> Iterator[CanaryRow]:
    for day in range(DAYS):
        for provider, model in (("google", "chirp_3"), ("whisper", "base")):
            yield CanaryRow(
                heard_at=BEGAN + timedelta(days=day, hours=1), provider=provider, model=model,
                language_code="uk-UA", canonical_version="1-x", text="a", words=2, errors=0,
            )  # fmt: skip


SCENARIOS = (
    ("no difference", frozenset[str]()),
    *((gate, frozenset({measure})) for measure, gate in GATES.items()),
    ("all of them", frozenset(GATES)),
)


def scenario(number: int, repetitions: int) -> None:
    """What was ever promoted or rolled back, and how often the gate of what is bad ever passed."""
    title, bad = SCENARIOS[number]
    generator = np.random.default_rng([11, number])
    promoted = rolled_back = passed = 0
    for _ in range(repetitions):
        window = simulated(generator, bad)
        found = [verdict(window.until(day), MARGINS) for day in LOOKS]
        promoted += any(each.decision == "PROMOTE" for each in found)
        rolled_back += any(each.decision == "ROLL BACK" for each in found)
        passed += any(gate.status == "pass" for each in found for gate in each.gates if gate.name == title)
    print(
        f"  {title} at the margin, {repetitions} windows: promoted {promoted}, rolled back {rolled_back}, "
        f"its gate passed in {passed}",
        flush=True,
    )


def main() -> None:
    print(__doc__)
    start, count = perf_counter(), max(1, 40 // (int(sys.argv[1]) if len(sys.argv) > 1 else 1))
    for number in range(len(SCENARIOS)):
        scenario(number, count)
    print(f"    ({perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
