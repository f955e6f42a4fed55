"""How long another program may take before it is taken for hung.

Far longer than a busy machine needs, and shorter than pytest's own limit (`timeout` in pyproject.toml), which
would not say what it was that hung.
"""

HUNG_SECONDS = 240.0
