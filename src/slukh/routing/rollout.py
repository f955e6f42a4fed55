"""Who is in the first ten per cent: buckets that anybody can recompute.

    bucket = (murmur3_x86_32(utf8(salt + ":" + targeting key), seed 0) as unsigned * 10 000) >> 32

A call is in a share of p per cent when its bucket is below 100 p. Raising p therefore keeps everybody who was
in, and the bucket of a key changes only with the salt. The multiplication is exact: 32 bits onto 10 000
buckets leave each within 1 of 429 496.7296 hashes, so no bucket is favoured by more than 0.0003 %.

`tests/unit/routing/golden_buckets.json` holds 1 000 triples (salt, targeting key, bucket); an implementation
in another language agrees with this one when it reproduces them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import mmh3

from slukh.errors import SettingsError

BUCKETS = 10_000
ALL = 100  # per cent


def bucket(salt: str, targeting_key: str) -> int:
    """The bucket 0..9999 of a key under a salt.

    Args:
        salt: names the draw; another one draws anew and independently. It holds no `:`, so that no two pairs
            of salt and key are hashed as the same text.
        targeting_key: see `targeting_key`.

    Source: MurmurHash3_x86_32, https://github.com/aappleby/smhasher (public domain).
    """
    return (mmh3.hash(f"{salt}:{targeting_key}".encode(), 0, signed=False) * BUCKETS) >> 32


def threshold(percent: int) -> int:
    """How many of the buckets, from 0 on, a share of 0..100 per cent takes."""
    return percent * (BUCKETS // ALL)


def targeting_key(*, call_id: str, caller: str | None) -> str:
    """What a decision sticks to: the caller's keyed hash, or the call when the number is withheld.

    Withheld callers would otherwise all be one caller, and change sides together.
    """
    return caller or call_id


def recovery_bucket(provider: str, call_id: str) -> int:
    """The bucket by which a recovering provider takes its first calls back.

    Drawn apart from the rollout: under one salt the first 5 % of all calls would be half of a 10 % arm. And
    by call, so that one caller is not the probe of every recovery.
    """
    return bucket(f"recovery/{provider}", call_id)


def chain(
    arm: str, *, backups: Sequence[str], forbidden: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, ...]:
    """Who is tried for a call, in that order: its arm, then the backups, each once.

    Args:
        arm: the provider that the flag chose.
        backups: `SLUKH_STT_FALLBACK`; the arm itself is skipped in it.
        forbidden: killed, or in the cloud while no audio may leave, and what forbids it. That binds failover
            too.

    Raises:
        SettingsError: nobody is left.
    """
    allowed = tuple(name for name in dict.fromkeys((arm, *backups)) if name not in forbidden)
    if not allowed:
        reasons = ", ".join(f"{reason} forbids {name}" for name, reason in forbidden.items())
        raise SettingsError(
            f"no recogniser is left for calls of {arm} ({reasons})",
            remedy="lift that, give the calls to another one, or name it in SLUKH_STT_FALLBACK",
        )
    return allowed
