"""Calls with errors that hang together, and a known truth: what the statistics are tried on.

A call has its own difficulty (its line, its caller), a turn has another; both are normal on the logit scale.
What comes out is one number of errors and of words per call, as the statistics take them.
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
        call_spread: standard deviation of the calls' difficulty, in logits.
        turn_spread: of the turns'.
    """

    turns: float = 10.0
    words: float = 8.0
    call_spread: float = 0.8
    turn_spread: float = 0.8

    def true_rate(self, level: float) -> float:
        """The error rate of calls at a level, in logits."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        logits = level + nodes * np.hypot(self.call_spread, self.turn_spread)
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


def simulated_turns(
    generator: np.random.Generator, calls: int, levels: tuple[float, ...], traffic: Traffic | None = None
) -> Turns:
    """Calls that every provider hears, each at its level; difficulty is shared, luck is not."""
    traffic = traffic or Traffic()
    turns = 1 + generator.poisson(traffic.turns - 1, calls)
    call = np.repeat(np.arange(calls), turns)
    words = 1 + generator.poisson(traffic.words - 1, len(call))
    difficulty = (generator.normal(0, traffic.call_spread, calls)[call]
                  + generator.normal(0, traffic.turn_spread, len(call)))  # fmt: skip
    errors = tuple(generator.binomial(words, _probability(level + difficulty)) for level in levels)
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
