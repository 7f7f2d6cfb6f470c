import os
import socket
from collections.abc import Callable

import pytest

from logcast.errors import CannotStartError
from logcast.stack.ports import PortClaim, kafka_port, port_claims, port_problem
from stores.settings import Settings


def test_a_taken_port_is_told_with_its_owner_and_the_option_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = port_problem(PortClaim(port, "127.0.0.1", "the page", "--http-port"))
    assert problem is not None
    assert f"port {port} for the page is taken by " in problem
    assert f"(pid {os.getpid()})" in problem
    assert problem.endswith("choose another port with --http-port")


def test_a_port_is_free_again_after_its_owner_closed_a_connection_on_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side closes first, so this side lingers in TIME_WAIT
        client.close()
    assert port_problem(PortClaim(port, "127.0.0.1", "the page", "--http-port")) is None


def test_an_address_of_another_machine_is_told_apart() -> None:
    problem = port_problem(PortClaim(8080, "192.0.2.1", "the page", "--http-port"))
    assert problem is not None
    assert "cannot be opened on 192.0.2.1" in problem


def test_every_port_of_the_stack_is_claimed_once(make_settings: Callable[..., Settings]) -> None:
    claims = port_claims(make_settings(kafka_bootstrap="127.0.0.1:9192"))
    ports = [claim.port for claim in claims]
    assert {8080, 1935, 9192, 9193, 9042, 7000, 8081, 8082, 8083} == set(ports)
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("bootstrap", ["kafka.example:9092", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65535", "a:1,b:2"])
def test_a_cluster_elsewhere_is_not_for_the_local_stack(bootstrap: str, make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(CannotStartError, match=r"LOGCAST_KAFKA_BOOTSTRAP=127\.0\.0\.1:9092.*logcast serve"):
        kafka_port(make_settings(kafka_bootstrap=bootstrap))
