"""What holds for all tests: a busy machine is no finding, and progress stays readable."""

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, settings

from slukh.testing.steady_time import SteadyTimeLoop

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # as slukh.stt.registry does for users

# Made from the profile in force, which in CI is another one.
settings.register_profile(
    "slukh", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slukh")

WITH_OTHER_PROGRAMS = ("real_time", "servers", "asterisk")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The time of a test does not pass while the machine does something else."""
    if any(map(item.get_closest_marker, WITH_OTHER_PROGRAMS)):
        return {"real": asyncio.new_event_loop}
    return {"steady": SteadyTimeLoop}
