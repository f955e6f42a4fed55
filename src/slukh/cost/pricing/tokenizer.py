"""One text, other tokens: Claude from 4.7 on counts about 30 % more of them than before.

Source: platform.claude.com, models overview; measure with count_tokens on your own transcripts.
"""

import re
from decimal import Decimal

_NEW_COUNTS = Decimal("1.3")
_NEW_SINCE = (4, 7)
_VERSION = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2})(?!\d))?")


def tokens_counted_by(model: str, tokens: int, *, instead_of: str) -> int:
    """Tokens that a model counts in a text in which another one counted so many."""
    return round(tokens * _factor(model) / _factor(instead_of))


def _factor(model: str) -> Decimal:
    version = _VERSION.match(model)
    if version is None:
        return Decimal(1)
    return _NEW_COUNTS if (int(version[1]), int(version[2] or 0)) >= _NEW_SINCE else Decimal(1)
