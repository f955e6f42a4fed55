"""A port that cannot be had is refused with the setting that mends it."""

import contextlib
import socket

import pytest

from slukh.errors import ServiceError
from slukh.ports import listen, reserved_port


def refusal(host: str, port: int) -> ServiceError:
    with pytest.raises(ServiceError) as refused, listen(host, port, "HTTP"):
        pass
    return refused.value


def test_a_free_port_is_ours_for_as_long_as_the_block() -> None:
    with listen("127.0.0.1", 0, "HTTP") as listener:
        port = listener.getsockname()[1]
    with listen("127.0.0.1", port, "HTTP"):
        pass


def test_a_reserved_port_is_for_whoever_names_it_and_for_nobody_who_asks_for_any() -> None:
    with reserved_port() as port, contextlib.ExitStack() as stack:
        others = [stack.enter_context(listen("127.0.0.1", 0, "HTTP")) for _ in range(100)]
        assert port not in {other.getsockname()[1] for other in others}
        named = stack.enter_context(listen("127.0.0.1", port, "HTTP"))
        assert stack.enter_context(socket.create_connection(named.getsockname()))


def test_a_taken_port_names_its_setting_and_the_address_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = str(refusal("127.0.0.1", port))
    assert sentence.count("127.0.0.1") == 1
    assert sentence.endswith("set SLUKH_HTTP_PORT to another port")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_names_the_host_setting(host: str) -> None:
    assert refusal(host, 0).remedy == "set SLUKH_HTTP_HOST to an address of this machine"
