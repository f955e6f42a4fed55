"""Calls with errors that hang together, and a known truth: what the statistics are tried on.

A caller has a difficulty (voice, line) that all of their calls share, a turn has another; both are normal on
the logit scale. Everybody calls once, unless it is said who calls. What comes out is one number of errors and
of words per call, as the statistics take them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What calls are like.

    Attributes:
        turns: mean turns of a call.
        words: mean words of a turn.
        call_spread: standard deviation of the callers' difficulty, in logits.
        turn_spread: of the turns'.
        own_spread: of what a caller is to one provider alone.
    """

    turns: float = 10.0
    words: float = 8.0
    call_spread: float = 0.8
    turn_spread: float = 0.8
    own_spread: float = 0.0

    def true_rate(self, level: float) -> float:
        """The error rate of calls at a level, in logits."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        spread = np.hypot(np.hypot(self.call_spread, self.turn_spread), self.own_spread)
        logits = level + nodes * spread
        return float(weights @ _probability(logits) / weights.sum())

    def level(self, rate: float) -> float:
        """The level in logits at which calls have an error rate."""
        low, high = -12.0, 12.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.true_rate(middle) < rate else (low, middle)
        return low


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turns:
    """Turns of many calls.

    Attributes:
        call: number of the call of every turn.
        words: of every turn.
        errors: of each provider on every turn, words of one turn wrong independently.
    """

    call: NDArray[np.int_]
    words: NDArray[np.int_]
    errors: tuple[NDArray[np.int_], ...]


def simulated_callers(generator: np.random.Generator, calls: int) -> NDArray[np.int_]:
    """The caller of every call: they call twice in the mean (geometric), one in a hundred of them 30 times.

    Calls of a caller lie anywhere among the others.
    """
    often, times = 0.01, generator.geometric(0.5, calls)
    times[generator.random(calls) < often] = 30
    return generator.permutation(np.repeat(np.arange(calls), times)[:calls])


def simulated_turns(
    generator: np.random.Generator,
    calls: int,
    levels: tuple[float, ...],
    traffic: Traffic | None = None,
    caller: NDArray[np.int_] | None = None,
) -> Turns:
    """Calls that every provider hears, each at its level; difficulty is shared, luck is not.

    Args:
        generator: of the luck.
        calls: how many.
        levels: of each provider.
        traffic: what calls are like.
        caller: of every call; None where everybody calls once.
    """
    traffic = traffic or Traffic()
    turns = 1 + generator.poisson(traffic.turns - 1, calls)
    call = np.repeat(np.arange(calls), turns)
    words = 1 + generator.poisson(traffic.words - 1, len(call))
    of_turn = call if caller is None else caller[call]
    callers = int(of_turn.max(initial=-1)) + 1
    difficulty = (generator.normal(0, traffic.call_spread, callers)[of_turn]
                  + generator.normal(0, traffic.turn_spread, len(call)))  # fmt: skip
    own = [
        generator.normal(0, traffic.own_spread, callers)[of_turn] if traffic.own_spread else 0.0
        for _ in levels
    ]
    errors = tuple(
        generator.binomial(words, _probability(level + difficulty + alone))
        for level, alone in zip(levels, own, strict=True)
    )
    return Turns(call=call, words=words, errors=errors)


def simulated_calls(
    generator: np.random.Generator, calls: int, levels: tuple[float, ...], traffic: Traffic | None = None
) -> tuple[Floats, ...]:
    """The same, summed: words of every call, then errors of each provider."""
    turns = simulated_turns(generator, calls, levels, traffic)
    return tuple(
        np.bincount(turns.call, weights=column, minlength=calls).astype(np.float64)
        for column in (turns.words, *turns.errors)
    )


def _probability(logits: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-logits))
    return found
