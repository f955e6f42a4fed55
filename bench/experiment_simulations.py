"""Do the experiment's statistics hold what they promise? `python bench/experiment_simulations.py [SCALE]`.

Calls are simulated with a known truth (`slukh.testing.simulated_errors`): a call has about 10 turns of 8
words; its difficulty and each turn's are normal with standard deviation 0.8 logits; providers share the
difficulty, not the luck. The looks are 28 days of 400 calls, 10 % in the second arm, from the first day that
has 100 of them; a call has about 60 words there, and its error rate a standard deviation of 0.141 about the
truth. Where callers call again they do twice in the mean (geometric), and one in a hundred of them 30 times;
all calls of a caller share a difficulty, and one with each provider alone (0.4 logits). SCALE divides the
number of repetitions.
"""

import math
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]  # ships no types

from slukh.experiment.evidence import ARMS
from slukh.experiment.guardrails import Guardrails, Turn
from slukh.experiment.statistics.estimates import Estimate, by_cluster, rate
from slukh.experiment.statistics.labelled import Shadowed, labelled_difference
from slukh.experiment.statistics.sequential import (
    confidence_sequence,
    is_not_worse,
    sample_ratio_p,
)
from slukh.testing.simulated_errors import (
    Traffic,
    Turns,
    simulated_callers,
    simulated_calls,
    simulated_turns,
)

Generator = np.random.Generator
TRAFFIC, AGAIN = Traffic(), Traffic(own_spread=0.4)
RATE, MARGIN = 0.18, 0.02
DAYS, CALLS_A_DAY, SHARE, FIRST_LOOK = 28, 400, 0.1, 3


def covered(intervals: Iterator[tuple[float, float]], truth: float, repetitions: int) -> float:
    return sum(low <= truth <= high for low, high in intervals) / repetitions


def resampled(
    generator: Generator, errors: NDArray[np.float64], words: NDArray[np.float64]
) -> tuple[float, float]:
    """A percentile interval of a rate from 500 resamples of whole calls (F1b), to hold F1 against."""
    times = generator.multinomial(len(words), np.full(len(words), 1 / len(words)), size=500)
    low, high = np.quantile((times @ errors) / (times @ words), [0.025, 0.975])
    return float(low), float(high)


def rates(repetitions: int, calls: int) -> None:
    generator, level = np.random.default_rng(1), TRAFFIC.level(RATE)
    clustered, boot, by_word, by_turn = [], [], [], []
    for _ in range(repetitions):
        turns = simulated_turns(generator, calls, (level,))
        names = [str(call) for call in turns.call]
        errors, words = by_cluster(names, turns.errors[0], turns.words)
        found = rate(errors, words)
        clustered.append(found.interval())
        boot.append(resampled(generator, errors, words))
        reach = 1.96 * math.sqrt(found.value * (1 - found.value) / words.sum())
        by_word.append((found.value - reach, found.value + reach))
        by_turn.append(rate(turns.errors[0], turns.words).interval())
    for name, intervals in (
        ("words", by_word), ("turns", by_turn), ("calls (F1)", clustered), ("calls, bootstrap (F1b)", boot),
    ):  # fmt: skip
        share = covered(iter(intervals), RATE, repetitions)
        print(f"  nominal 95 % interval over {calls:4} calls by {name:24} covers {share:6.1%}")


def repeat_callers(repetitions: int, calls: int) -> None:
    """F1, F2, F3 and F8 where callers call again: by caller, and by call, which is what they are not for."""
    generator, levels = np.random.default_rng(17), (AGAIN.level(RATE), AGAIN.level(RATE + MARGIN))
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(repetitions):
        caller = simulated_callers(generator, calls)
        turns = simulated_turns(generator, calls, levels, AGAIN, caller)
        other = simulated_callers(generator, calls // 3)
        others = simulated_turns(generator, calls // 3, levels, AGAIN, other)
        for who, names, other_names in (
            ("callers", caller[turns.call], other[others.call]), ("calls", turns.call, others.call),
        ):  # fmt: skip
            first, both, words = by_cluster(
                [str(n) for n in names], turns.errors[0], turns.errors[1] - turns.errors[0], turns.words
            )
            second = by_cluster([str(n) for n in other_names], others.errors[1], others.words)
            for what, estimate in (
                ("rate (F1)", rate(first, words)), ("paired difference (F2)", rate(both, words)),
                ("arms apart (F3)", rate(*second) - rate(first, words)),
                ("labelled (F8)", _half_labelled(generator, turns, names)),
            ):  # fmt: skip
                found.setdefault((what, who), []).append(estimate.interval())
    for (what, who), intervals in found.items():
        share = covered(iter(intervals), RATE if "F1" in what else MARGIN, repetitions)
        print(f"  {what}, {calls} calls of callers who call again, by {who}: covers {share:.1%}")


def _half_labelled(generator: Generator, turns: Turns, names: NDArray[np.int_]) -> Estimate:
    difference = (turns.errors[1] - turns.errors[0]).astype(float)
    is_labelled = (difference == 0) | (generator.random(len(difference)) < 0.5)
    return labelled_difference(
        Shadowed(
            calls=[str(n) for n in names],
            difference=difference,
            words=turns.words.astype(float),
            proxy=np.zeros(len(difference)),
            length=(0.95 * turns.words).astype(float),
            probability=np.where(difference == 0, 1.0, 0.5),
            is_labelled=is_labelled,
        )
    )


def few_calls(repetitions: int) -> None:
    """Why there is no interval of fewer than 15 calls; made here without that rule."""
    generator, level = np.random.default_rng(1), TRAFFIC.level(RATE)
    for calls in (2, 3, 5, 10, 15, 20, 30):
        intervals = []
        for _ in range(repetitions):
            words, errors = simulated_calls(generator, calls, (level,))
            found = rate(errors, words)
            reach = float(stdtrit(calls - 1, 0.975)) * found.standard_error
            intervals.append((found.value - reach, found.value + reach))
        wide = np.median([high - low for low, high in intervals])
        share = covered(iter(intervals), RATE, repetitions)
        print(f"  nominal 95 % interval over {calls} calls: covers {share:.1%}, {100 * wide:.0f} points wide")


def differences(repetitions: int) -> None:
    generator = np.random.default_rng(2)
    levels = TRAFFIC.level(RATE), TRAFFIC.level(RATE + MARGIN)
    paired, apart = [], []
    for _ in range(repetitions):
        words, first, second = simulated_calls(generator, 200, levels)
        paired.append(rate(second - first, words).interval())
        other_words, _, other = simulated_calls(generator, 60, levels)
        apart.append((rate(other, other_words) - rate(first, words)).interval())
    print(f"  paired difference (F2), 200 calls: covers {covered(iter(paired), MARGIN, repetitions):.1%}")
    print(f"  arms apart (F3), 200 and 60 calls: covers {covered(iter(apart), MARGIN, repetitions):.1%}")


def looks(
    generator: Generator, difference: float
) -> Iterator[tuple[int, tuple[float, float], tuple[float, float]]]:
    """Day, fixed interval and always-valid bounds of the difference, from all data so far."""
    count = DAYS * CALLS_A_DAY
    words = generator.poisson(60, count).clip(1).astype(float)
    second = generator.random(count) < SHARE
    errors = words * (RATE + second * difference) + generator.normal(0, 0.141 * 60, count)
    for day in range(FIRST_LOOK, DAYS + 1):
        seen = slice(0, day * CALLS_A_DAY)
        arm, e, w = second[seen], errors[seen], words[seen]
        found = rate(e[arm], w[arm]) - rate(e[~arm], w[~arm])
        bounds = confidence_sequence(found, observations=day * CALLS_A_DAY, planned=count)
        yield day, found.interval(), (bounds.low, bounds.high)


def peeking(repetitions: int) -> None:
    generator = np.random.default_rng(3)
    fixed = always = 0
    for _ in range(repetitions):
        days = list(looks(generator, 0.0))
        fixed += any(not low <= 0 <= high for _, (low, high), _ in days)
        always += any(not low <= 0 <= high for _, _, (low, high) in days)
    print(f"  alarms in 26 daily looks at no difference: fixed interval {fixed / repetitions:.1%}, "
          f"always-valid (F5) {always / repetitions:.1%}")  # fmt: skip


def decisions(repetitions: int) -> None:
    generator = np.random.default_rng(4)
    for difference in (MARGIN, 0.0, -0.01, 0.05):
        promoted, rolled_back = [], []
        for _ in range(repetitions):
            days = list(looks(generator, difference))
            promoted.append(next((day for day, _, (_, high) in days if high < MARGIN), None))
            rolled_back.append(next((day for day, _, (low, _) in days if low > MARGIN), None))
        by_day = [sum(d is not None and d <= day for d in promoted) / repetitions for day in (7, 14, 28)]
        worse = sum(d is not None for d in rolled_back) / repetitions
        print(f"  true difference {difference:+.0%}, margin {MARGIN:+.0%} (F6): promoted by day 7, 14, 28 in "
              f"{by_day[0]:.1%}, {by_day[1]:.1%}, {by_day[2]:.1%}; rolled back in {worse:.1%}")  # fmt: skip


def labelled(repetitions: int) -> None:
    generator = np.random.default_rng(5)
    levels = TRAFFIC.level(RATE), TRAFFIC.level(RATE + MARGIN)
    for title, quality in (("good proxy", 0.8), ("no proxy", 0.0)):
        intervals, errors, values, labels = [], [], [], 0
        for _ in range(repetitions):
            turns = simulated_turns(generator, 800, levels)
            difference = (turns.errors[1] - turns.errors[0]).astype(float)
            judged = quality * (difference + generator.normal(0, 0.6, len(difference)))
            probability = np.clip(0.06 * np.abs(difference), 0.01, 1.0)
            drawn = generator.random(len(difference)) < probability
            labels += int(drawn.sum())
            found = labelled_difference(
                Shadowed(
                    calls=[str(call) for call in turns.call],
                    difference=difference,
                    words=turns.words.astype(float),
                    proxy=np.where(difference == 0, 0.0, judged),
                    length=0.85 * turns.words + generator.normal(0, 1, len(difference)),
                    probability=probability,
                    is_labelled=drawn,
                )
            )
            intervals.append(found.interval())
            errors.append(found.standard_error)
            values.append(found.value)
        print(f"  labelled (F8), {title}, {labels // repetitions} labels, 800 calls: covers "
              f"{covered(iter(intervals), MARGIN, repetitions):.1%}, standard error "
              f"{np.mean(errors):.2%} (empirical {np.std(values):.2%})")  # fmt: skip


def labelled_in_part(repetitions: int) -> None:
    """F8 when the labeller stops early; the share that is labelled is seen in the words that differ."""
    generator = np.random.default_rng(9)
    levels = TRAFFIC.level(RATE), TRAFFIC.level(RATE + MARGIN)
    for answered in (1.0, 0.4):
        for title, corrects in (("the share taken into account", True), ("as drawn", False)):
            intervals = []
            for _ in range(repetitions):
                turns = simulated_turns(generator, 800, levels)
                difference = (turns.errors[1] - turns.errors[0]).astype(float)
                # Words that differ are as many as the errors, or more where both err differently.
                differing = np.abs(difference) + (difference != 0) * generator.poisson(0.3, len(difference))
                probability = np.clip(0.12 * differing, 0, 1)
                is_labelled = generator.random(len(difference)) < probability * answered
                weight = np.where(is_labelled, differing / np.maximum(probability, 1e-9), 0.0)
                share = weight.sum() / differing.sum() if corrects else 1.0
                is_equal = differing == 0
                found = labelled_difference(
                    Shadowed(
                        calls=[str(call) for call in turns.call],
                        difference=difference,
                        words=turns.words.astype(float),
                        proxy=np.zeros(len(difference)),
                        length=(0.95 * turns.words).astype(float),
                        probability=np.where(is_equal, 1.0, probability * share),
                        is_labelled=is_equal | is_labelled,
                    )
                )
                intervals.append(found.interval())
            print(f"  labelled, {answered:.0%} of the draw, {title}: covers "
                  f"{covered(iter(intervals), MARGIN, repetitions):.1%}")  # fmt: skip


def labelled_looks(repetitions: int) -> None:
    """F8 under F5: the same estimate from cumulative shadow data, looked at daily."""
    generator, count = np.random.default_rng(8), 14 * 80
    for difference, again in ((0.0, False), (MARGIN, False), (MARGIN, True)):
        traffic = AGAIN if again else TRAFFIC
        levels = traffic.level(RATE), traffic.level(RATE + difference)
        alarms = promoted = 0
        for _ in range(repetitions):
            caller = simulated_callers(generator, count) if again else np.arange(count)
            turns = simulated_turns(generator, count, levels, traffic, caller)
            gap = (turns.errors[1] - turns.errors[0]).astype(float)
            probability = np.clip(0.15 * np.abs(gap), 0.02, 1.0)
            drawn = generator.random(len(gap)) < probability
            alarm = pass_ = False
            for day in range(2, 15):
                seen = turns.call < day * 80
                found = labelled_difference(
                    Shadowed(
                        calls=[str(who) for who in caller[turns.call[seen]]],
                        difference=gap[seen],
                        words=turns.words[seen].astype(float),
                        proxy=np.zeros(int(seen.sum())),
                        length=(0.85 * turns.words[seen]).astype(float),
                        probability=probability[seen],
                        is_labelled=drawn[seen],
                    )
                )
                bounds = confidence_sequence(found, observations=day * 80, planned=count)
                alarm |= not bounds.low <= difference <= bounds.high
                pass_ |= is_not_worse(bounds, MARGIN)
            alarms += alarm
            promoted += pass_
        who = ", callers call again" if again else ""
        print(f"  labelled, 13 daily looks (F8 in F5), true {difference:+.0%}{who}: missed in "
              f"{alarms / repetitions:.1%}, promoted in {promoted / repetitions:.1%}")  # fmt: skip


def arms(second: int, count: int) -> dict[str, int]:
    return {"google": count - second, "whisper": second}


def ratios(repetitions: int) -> None:
    generator = np.random.default_rng(6)
    shares = {"google": 1 - SHARE, "whisper": SHARE}
    for true_share in (SHARE, 0.08):
        found = []
        for _ in range(repetitions):
            second = np.cumsum(generator.random(16_000) < true_share)
            looked = (
                count for count in range(400, 16_001, 400)
                if sample_ratio_p(arms(int(second[count - 1]), count), shares) < 0.001
            )  # fmt: skip
            found.append(next(looked, None))
        alarms = [calls for calls in found if calls is not None]
        median = f", median after {np.median(alarms):.0f} callers" if len(alarms) > repetitions / 2 else ""
        print(f"  sample ratio (F9), true share {true_share:.0%} of {SHARE:.0%}, 40 looks: alarm in "
              f"{len(alarms) / repetitions:.1%}{median}")  # fmt: skip


def until_a_breach(generator: Generator, shares: tuple[float, float], alike: float = 0.3) -> int | None:
    """Whisper's calls until a guardrail gives way, looked at after every turn of theirs; None in 28 days.

    One call in ten is Whisper's. A call has about 10 turns; its own share of bad turns is beta-distributed
    about its arm's, so that two turns of a call correlate by `alike`.
    """
    guard, spread = Guardrails(), (1 - alike) / alike
    for number in range(DAYS * CALLS_A_DAY):
        is_whisper = number % 10 == 0
        arm, share, call, now = ARMS[is_whisper], shares[is_whisper], str(number), float(number)
        own = generator.beta(share * spread, (1 - share) * spread) if 0 < share < 1 else share
        guard.began(arm, call, now)
        for is_bad in generator.random(generator.geometric(0.1)) < own:
            guard.heard(arm, call, Turn(seconds=1.0, is_failed=bool(is_bad)), now)
            if is_whisper and guard.look(now) is not None:
                return number // 10 + 1
        guard.ended(arm, call)
    return None


def guardrails(repetitions: int) -> None:
    """One guardrail, at most 10 % bad turns, over 28 days of 40 Whisper calls; looked at after every turn."""
    generator = np.random.default_rng(9)
    for title, shares in (
        ("as bad as it may be", (0.0, 0.10)), ("half as bad", (0.0, 0.05)), ("both 30 % bad", (0.3, 0.3)),
        ("20 % bad", (0.0, 0.2)), ("40 %, Google 10 % bad", (0.1, 0.4)),
        ("half of the turns bad", (0.0, 0.5)), ("all bad", (0.0, 1.0)),
    ):  # fmt: skip
        found = [until_a_breach(generator, shares) for _ in range(repetitions)]
        calls = [count for count in found if count is not None]
        median = (
            f", after {np.median(calls):.0f} calls (95 %: {np.quantile(calls, 0.95):.0f})" if calls else ""
        )
        print(f"  guardrail, {title}: rolled back within 28 days in {len(calls) / repetitions:.1%}{median}")


def main() -> None:
    print(__doc__)  # figures without what they assume are worth nothing
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    parts: list[tuple[Callable[..., None], tuple[int, ...]]] = [
        (rates, (2000, 200)), (rates, (2000, 40)), (few_calls, (6000,)), (repeat_callers, (600, 250)),
        (repeat_callers, (600, 1000)), (differences, (2000,)), (peeking, (1000,)),
        (decisions, (1000,)), (labelled, (600,)), (labelled_in_part, (600,)),
        (labelled_looks, (400,)), (ratios, (1000,)), (guardrails, (100,)),
    ]  # fmt: skip
    for part, (repetitions, *more) in parts:
        start, count = perf_counter(), max(1, repetitions // scale)
        part(count, *more)
        print(f"    ({count} repetitions, {perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
