"""Do gates promote what is as bad as their margin? `python bench/gate_simulations.py [SCALE]`.

At most 2.5 % of the experiments may, however often one looks at them. Each is looked at on all days of four
weeks, once both arms have a hundred callers. Live gates have 400 calls a day, one in ten of them Whisper's; a
call of theirs costs what is lognormal with a standard deviation of 0.8 in its logarithm. What latency and
silence assume stands with them. Everybody calls once; or callers call again, twice in the mean (geometric),
and one in a hundred of them 30 times. Arm, line and half of the cost's variance are the caller's then, and a
fifth of the callers has all faults. SCALE divides the number of repetitions.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from slukh.experiment.evidence import SilentCall
from slukh.experiment.gates import Margins
from slukh.experiment.measures import cost_ratio
from slukh.experiment.silence import counted_silence
from slukh.experiment.statistics.estimates import Estimate, Floats, long_tailed, rate, with_one_of_each
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference
from slukh.experiment.statistics.quantiles import quantile_difference
from slukh.experiment.statistics.sequential import Bounds, confidence_sequence, is_not_worse, is_worse
from slukh.testing.simulated_errors import Traffic, Turns, simulated_callers, simulated_turns

Generator = np.random.Generator
Numbers = NDArray[np.int_]
DAYS, CALLS_A_DAY, SHARE = 28, 400, 0.1
WHO = (("", False), (", callers call again", True))


def callers(generator: Generator, calls: int, *, again: bool) -> Numbers:
    return simulated_callers(generator, calls) if again else np.arange(calls)


def looks(caller: Numbers, second: NDArray[np.bool_]) -> list[int]:
    """Calls at the end of each day, once the smaller arm has the callers of a first look."""
    days = (day * CALLS_A_DAY for day in range(1, DAYS + 1))
    least = Margins().first_look
    return [seen for seen in days if len(np.unique(caller[:seen][second[:seen]])) >= least]


def by_caller(caller: Numbers, *columns: NDArray[np.generic]) -> list[Floats]:
    _, codes = np.unique(caller, return_inverse=True)
    return [np.bincount(codes, weights=column).astype(np.float64) for column in columns]


def shares_of_calls(repetitions: int) -> None:
    """Live gates at their margins: rare faults, failed tasks, turns of bad lines."""
    generator = np.random.default_rng(10)
    count = DAYS * CALLS_A_DAY
    for title, margin, of_google, of_turns in (
        ("1 call in 200 wrong, none of Google's", 0.005, 0.0, False),
        ("12 % of tasks failed, 10 % of Google's", 0.02, 0.1, False),
        ("1 turn in 100 left to another, in a fifth of the calls", 0.01, 0.0, True),
    ):
        for how, careful, (who, again) in (
            ("one of each more (as the gates)", True, WHO[0]), ("as seen", False, WHO[0]),
            ("one of each more", True, WHO[1]),
        ):  # fmt: skip
            promoted = 0
            for _ in range(repetitions):
                caller = callers(generator, count, again=again)
                people = int(caller.max()) + 1
                second = (generator.random(people) < SHARE)[caller]
                turns = 1 + generator.poisson(9, count) if of_turns else np.ones(count, int)
                has_faults = (generator.random(people) < 0.2)[caller]
                spread = 5 * has_faults if of_turns or again else np.ones(count)
                wrong = generator.binomial(turns, (of_google + margin * second) * spread)
                promoted += any(
                    is_not_worse(
                        confidence_sequence(
                            _share(wrong[:seen], turns[:seen], caller[:seen], second[:seen], careful)
                            - _share(wrong[:seen], turns[:seen], caller[:seen], ~second[:seen], careful),
                            observations=seen,
                            planned=count,
                        ),
                        margin,
                    )
                    for seen in looks(caller, second)
                )
            print(f"  {title}, {how}{who}: promoted in {promoted / repetitions:.1%}", flush=True)


def windows(repetitions: int) -> None:
    """Failed tasks at their margin, eight weeks, daily looks from 14 days on: who says where windows begin.

    12 % of Whisper's tasks fail, 10 % of Google's, and 2 points more are too many.
    """
    generator, margin, days, least = np.random.default_rng(17), Margins().task_success, 56, 14
    passed: dict[str, int] = {}
    for _ in range(repetitions):
        second = generator.binomial(CALLS_A_DAY, SHARE, days)
        calls = np.array([CALLS_A_DAY - second, second])
        failed = generator.binomial(calls, np.array([[0.1], [0.1 + margin]]))
        of_calls, of_failed = (
            np.concatenate([[[0], [0]], x.cumsum(axis=1)], axis=1) for x in (calls, failed)
        )

        def promotes(since: int, until: int) -> bool:
            total = of_calls[:, until] - of_calls[:, since]  # noqa: B023  # used at once
            wrong = of_failed[:, until] - of_failed[:, since]  # noqa: B023
            google, whisper = (_one_call_each(int(k), int(n)) for k, n in zip(wrong, total, strict=True))
            return is_not_worse(
                confidence_sequence(
                    whisper - google, observations=int(total.sum()), planned=DAYS * CALLS_A_DAY
                ),
                margin,
            )

        looks = range(least, days + 1)
        for title, is_promoted in (
            ("from the last change on (as `slukh ab ramp` has it)", any(promotes(0, day) for day in looks)),
            ("the last 28 days", any(promotes(max(0, day - 28), day) for day in looks)),
            ("begun anew every 14 days, by a ramp to the same share",
             any(promotes(day - 14, day) for day in range(14, days + 1, 14))),
            ("from any Monday that suits",
             any(promotes(since, day) for day in looks for since in range(0, day - least + 1, 7))),
        ):  # fmt: skip
            passed[title] = passed.get(title, 0) + is_promoted
    for title, count in passed.items():
        print(f"  12 % of tasks failed, 10 % of Google's, {title}: promoted in {count / repetitions:.1%}")


def _one_call_each(wrong: int, calls: int) -> Estimate:
    """`rate(*with_one_of_each(...))` of calls that each count once, without the calls."""
    share, clusters = (wrong + 1) / (calls + 2), calls + 2
    error = math.sqrt(share * (1 - share) / (clusters - 1))
    return Estimate(value=share, standard_error=error, clusters=clusters)


def costs(repetitions: int) -> None:
    generator, count = np.random.default_rng(14), DAYS * CALLS_A_DAY
    for who, again in WHO:
        promoted = 0
        for _ in range(repetitions):
            caller = callers(generator, count, again=again)
            people = int(caller.max()) + 1
            second = (generator.random(people) < SHARE)[caller]
            usd = generator.lognormal(0, 0.8 / math.sqrt(2), people)[caller]
            usd *= generator.lognormal(0, 0.8 / math.sqrt(2), count)
            promoted += any(
                is_not_worse(_cost_ratio(usd[:seen], caller[:seen], second[:seen], planned=count), 1.0)
                for seen in looks(caller, second)
            )
        print(f"  a call that costs as much as Google's{who}: promoted in {promoted / repetitions:.1%}")


def _share(
    wrong: Numbers, turns: Numbers, caller: Numbers, members: NDArray[np.bool_], careful: bool
) -> Estimate:
    part, whole = by_caller(caller[members], wrong[members], turns[members])
    return rate(*with_one_of_each(part, whole)) if careful else rate(part, whole)


def _cost_ratio(usd: Floats, caller: Numbers, second: NDArray[np.bool_], *, planned: int) -> Bounds:
    google, whisper = (
        long_tailed(*by_caller(caller[members], usd[members], np.ones(members.sum())))
        for members in (~second, second)
    )
    return confidence_sequence(cost_ratio(whisper, google), observations=len(usd), planned=planned)


def labellers(repetitions: int) -> None:
    """The labelled gate at its margin, and people who want it to pass: what they may hand in, and what not.

    560 shadowed calls; about 600 utterances are drawn, by their differing words, and labelled in order.
    """
    generator, traffic, margin = np.random.default_rng(16), Traffic(), Margins().wer
    levels = traffic.level(0.18), traffic.level(0.18 + margin)
    passed: dict[str, int] = {}
    for _ in range(repetitions):
        turns = simulated_turns(generator, 560, levels)
        gap = (turns.errors[1] - turns.errors[0]).astype(float)
        differing = np.abs(gap) + (gap != 0) * generator.poisson(0.3, len(gap))
        chance = np.clip(0.15 * differing, 1e-9, 1)
        turn = np.where(differing > 0, generator.random(len(gap)) / chance, np.inf)
        order = np.argsort(turn)[: int((turn < 1).sum())]
        stops = [order[:count] for count in range(60, len(order) + 1, 20)]
        bad = order[np.argsort(gap[order])[len(order) - len(order) // 20 :]]  # those against Whisper most
        rest = np.setdiff1d(order, bad)
        worst = np.where(np.isin(np.arange(len(gap)), bad), differing, gap)

        def promotes(labels: NDArray[np.int_], seen: Floats) -> bool:
            bounds = _labelled_bounds(turns, seen, differing, chance, labels)  # noqa: B023  # used at once
            return is_not_worse(bounds, margin)

        for title, is_promoted in (
            ("all of the draw", promotes(order, gap)),
            ("up to where it suits them best", any(promotes(labels, gap) for labels in stops)),
            ("but 1 in 20, those against Whisper; each as bad as it can be", promotes(order, worst)),
            ("the same, unnoticed", promotes(rest, gap)),
            ("only what does not speak against Whisper, unnoticed", promotes(order[gap[order] <= 0], gap)),
        ):
            passed[title] = passed.get(title, 0) + is_promoted
    for title, count in passed.items():
        print(f"  labels at the margin, {title}: promoted in {count / repetitions:.1%}")


def _labelled_bounds(
    turns: Turns, gap: Floats, differing: Floats, chance: Floats, labels: NDArray[np.int_]
) -> Bounds:
    """F8 in F5, as the gate makes it: with as much as the labels stand for, and one label more."""
    is_labelled = np.zeros(len(gap), bool)
    is_labelled[labels] = True
    share = (differing[labels] / chance[labels]).sum() / differing.sum()
    is_equal, length = differing == 0, (0.95 * turns.words).astype(float)
    found = labelled_difference(
        Shadowed(
            calls=[str(call) for call in turns.call], difference=gap, words=turns.words.astype(float),
            proxy=np.zeros(len(gap)), length=length, probability=np.where(is_equal, 1.0, chance * share),
            is_labelled=is_equal | is_labelled,
        )
    )  # fmt: skip
    one = float((1 / chance[labels]).mean()) / share / length.sum()
    careful = replace(found, value=found.value + one, standard_error=math.hypot(found.standard_error, one))
    return confidence_sequence(careful, observations=int(turns.call.max()) + 1, planned=2240)


Arm = tuple[list[str], Floats]


def answered(
    generator: Generator,
    calls: int,
    *,
    slower: float = 0.0,
    tail: float = 0.0,
    lost: float = 0.0,
    turns: int = 10,
    again: bool = False,
) -> Arm:
    """Seconds to the finals of calls; a share of them is lost, and counts at 8 s.

    Args:
        generator: of the luck.
        calls: how many.
        slower: than half a second and more.
        tail: standard deviation of the logarithm of what comes on top; 0 is a gamma distribution's.
        lost: share of the turns that get no final, in calls of a fifth of the callers.
        turns: of each call.
        again: callers call more than once.
    """
    caller = np.repeat(callers(generator, calls, again=again), turns)
    people = int(caller.max()) + 1
    of_call = generator.normal(0, 0.1, people)[caller]
    more = (
        generator.lognormal(math.log(0.2), tail, calls * turns) if tail
        else generator.gamma(2.0, 0.1, calls * turns)
    )  # fmt: skip
    seconds = 0.5 + slower + of_call + more
    is_bad = (generator.random(people) < 0.2)[caller]
    seconds[is_bad & (generator.random(calls * turns) < 5 * lost)] = 8.0
    return [str(n) for n in caller], seconds


def latencies(repetitions: int) -> None:
    generator = np.random.default_rng(7)
    for calls, again in (((300, 100), False), ((300, 100), True), ((900, 300), True)):
        first, second = calls
        intervals = [
            quantile_difference(
                answered(generator, first, again=again), answered(generator, second, slower=0.1, again=again),
                seed=int(generator.integers(1 << 30)), quantile=0.95, draws=300,
            ).interval()
            for _ in range(repetitions)
        ]  # fmt: skip
        share = sum(low <= 0.1 <= high for low, high in intervals) / repetitions
        print(
            f"  p95 latency difference (F11), {first} and {second} calls{WHO[again][0]}: covers {share:.1%}"
        )


def latency_looks(repetitions: int) -> None:
    """F11 under F5: 28 days of 80 calls of 4 turns, 3 in 10 of them Whisper's; 200 resamples a look."""
    generator = np.random.default_rng(12)
    daily, turns, margin = (56, 24), 4, 0.15
    for title, google, whisper in (
        ("at the margin", {}, {"slower": margin}),
        ("at the margin, callers call again", {"again": True}, {"again": True, "slower": margin}),
        ("at the margin, long tails", {"tail": 1.0}, {"tail": 1.0, "slower": margin}),
        ("at the margin, 4 % lost", {"lost": 0.04}, {"lost": 0.04, "slower": margin}),
        ("5.5 % of Whisper's lost, 4 % of Google's", {"lost": 0.04}, {"lost": 0.055}),
        ("no difference", {}, {}),
    ):  # fmt: skip
        promoted = rolled_back = 0
        for _ in range(repetitions):
            arms = [
                answered(generator, DAYS * calls, turns=turns, **how)
                for calls, how in zip(daily, (google, whisper), strict=True)
            ]
            found = [
                confidence_sequence(
                    quantile_difference(
                        *(
                            (names[: day * calls * turns], seconds[: day * calls * turns])
                            for (names, seconds), calls in zip(arms, daily, strict=True)
                        ),
                        seed=day, quantile=0.95, draws=200,
                    ),
                    observations=day * sum(daily), planned=DAYS * sum(daily),
                )
                for day in range(5, DAYS + 1)
                if len(set(arms[1][0][: day * daily[1] * turns])) >= Margins().first_look
            ]  # fmt: skip
            promoted += any(is_not_worse(bounds, margin) for bounds in found)
            rolled_back += any(is_worse(bounds, margin) for bounds in found)
        print(f"  p95 latency (F11 in F5), daily looks, {title}: promoted in "
              f"{promoted / repetitions:.1%}, rolled back in {rolled_back / repetitions:.1%}")  # fmt: skip


Words = Callable[[Generator, int], Numbers]


def silences(repetitions: int) -> None:
    """28 days of 20 recordings without speech; words in them at the margin of what counts.

    A recording is struck by chance, the more probably the longer it is. Google hears nothing, or is struck as
    often as a quarter of the margin, in other recordings, and Whisper so much more often.
    """
    generator, margin, a_day = np.random.default_rng(13), Margins().words_in_silence, 20
    one_minute, long_ones = (20.0, 60.0), (30.0, 300.0)
    for title, words, lasting, google in (
        ("bursts of 1 word", _of(1), one_minute, 0.0), ("of 2", _of(2), one_minute, 0.0),
        ("of 5", _of(5), one_minute, 0.0), ("of 10", _of(10), one_minute, 0.0),
        ("geometric, 3 in the mean", _geometric(3), one_minute, 0.0),
        ("heavy-tailed (Pareto, 1.1)", _pareto, one_minute, 0.0),
        ("geometric, Google too", _geometric(3), one_minute, 0.25),
        ("geometric, 30 in the mean, calls to 5 minutes", _geometric(30), long_ones, 0.0),
    ):  # fmt: skip
        struck = _struck_per_minute(words, lasting, margin)
        passed = failed = 0
        for _ in range(repetitions):
            calls = _recordings(
                generator, DAYS * a_day, words, lasting, (google * struck, (1 + google) * struck)
            )
            found = [counted_silence(calls[: day * a_day]).bounds() for day in range(1, DAYS + 1)]
            passed += any(high < margin for _, high in found)
            failed += any(low > margin for low, _ in found)
        print(f"  silence at the margin, {title}: passed in {passed / repetitions:.1%}, "
              f"rolled back in {failed / repetitions:.1%} of 28 daily looks")  # fmt: skip


def silent_minutes(repetitions: int) -> None:
    """How many minutes a pass takes: of a recording each, looked at in every half hour."""
    generator, margin = np.random.default_rng(15), Margins().words_in_silence
    for title, share in (("hears nothing", 0.0), ("is struck once in 200 minutes", 0.005),
                         ("is struck once in 100 minutes", 0.01)):  # fmt: skip
        minutes = []
        for _ in range(repetitions):
            calls = _recordings(generator, 2000, _of(3), (60.0, 60.0), (share, share))
            looks = (n for n in range(30, 2001, 30) if counted_silence(calls[:n]).bounds()[1] < margin)
            minutes.append(next(looks, 10_000))
        median, most = np.quantile(minutes, [0.5, 0.9])
        print(f"  silence, whoever listens {title}: passes after {median:.0f} minutes (median; "
              f"90 %: {most:.0f})")  # fmt: skip


def _of(count: int) -> Words:
    return lambda _, bursts: np.full(bursts, count)


def _geometric(mean: float) -> Words:
    return lambda generator, bursts: generator.geometric(1 / mean, bursts)


def _pareto(generator: Generator, bursts: int) -> Numbers:
    """A mean of 10 and no variance."""
    return (1 + np.floor(generator.pareto(1.1, bursts))).astype(int)


def _recordings(
    generator: Generator, count: int, words: Words, lasting: tuple[float, float], struck: tuple[float, float]
) -> list[SilentCall]:
    """Recordings, struck so many times a minute, once each at most: Google's and Whisper's."""
    seconds = generator.uniform(*lasting, count)
    google, whisper = (
        (generator.random(count) < share * seconds / 60) * words(generator, count) for share in struck
    )
    return [
        SilentCall(seconds=float(each), google_words=int(one), whisper_words=int(two))
        for each, one, two in zip(seconds, google, whisper, strict=True)
    ]


def _struck_per_minute(words: Words, lasting: tuple[float, float], wanted: float) -> float:
    """How often recordings must be struck for a rate of what counts."""
    share = 0.1
    found = counted_silence(_recordings(np.random.default_rng(1), 200_000, words, lasting, (0.0, share)))
    return share * wanted / found.rate


def main() -> None:
    print(__doc__)
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    parts: list[tuple[Callable[[int], None], int]] = [
        (shares_of_calls, 1000), (windows, 2000), (costs, 1000), (labellers, 300), (latencies, 300),
        (latency_looks, 200), (silences, 300), (silent_minutes, 200),
    ]  # fmt: skip
    for part, repetitions in parts:
        start, count = perf_counter(), max(1, repetitions // scale)
        part(count)
        print(f"    ({count} repetitions, {perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
