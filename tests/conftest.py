"""What holds for all tests: a busy machine is no finding."""

from hypothesis import HealthCheck, settings

# Made from the profile in force, which in CI is another one.
settings.register_profile(
    "slukh", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slukh")
