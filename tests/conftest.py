"""What holds for all tests: a busy machine is no finding, and progress stays readable."""

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # as slukh.stt.registry does for users

# Made from the profile in force, which in CI is another one.
settings.register_profile(
    "slukh", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slukh")
