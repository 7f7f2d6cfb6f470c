"""What `logcast up --secure` gives to each process: its own user and password, and nobody else's."""

import sys
from pathlib import Path

import pytest

from logcast.cluster_secrets import password_file
from logcast.stack.java import Java
from logcast.stack.layout import CLUSTER
from logcast.stack.local import LocalStack
from logcast.stack.process import ProcessSpec
from logcast.stack.security import Security
from schemas.rights import ROLES
from stores.settings import Settings


@pytest.fixture
def security(tmp_path: Path) -> Security:
    made = Security(tmp_path / "secrets")
    made.prepare(CLUSTER.nodes)
    return made


@pytest.fixture
def specs(security: Security, settings: Settings, tmp_path: Path) -> dict[str, ProcessSpec]:
    java = Java(Path(sys.executable), "test")
    stack = LocalStack(
        settings, java, lambda _: (Path(__file__),), tmp_path / "archives", layout=CLUSTER, security=security
    )
    return {spec.name: spec for spec in stack.specs()}


def test_each_role_is_its_own_user(specs: dict[str, ProcessSpec], security: Security) -> None:
    passwords = security.passwords()
    assert len(set(passwords.values())) == len(ROLES)
    for role in ROLES:
        environ = specs[f"{role}-2"].environ
        assert environ["LOGCAST_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        assert (environ["LOGCAST_KAFKA_USER"], environ["LOGCAST_KAFKA_PASSWORD"]) == (role, passwords[role])


def test_nobody_is_told_another_one_s_password(specs: dict[str, ProcessSpec], security: Security) -> None:
    admins = [password_file(security.directory, "admin").read_text().strip(), security.cassandra_admin_password]
    for role in ROLES:
        others = {password for user, password in security.passwords().items() if user != role}
        assert others.isdisjoint(specs[f"{role}-1"].environ.values())
        assert set(admins).isdisjoint(specs[f"{role}-1"].environ.values())


def test_command_lines_hold_no_password(specs: dict[str, ProcessSpec], security: Security) -> None:
    secrets = [path.read_text().strip() for path in security.directory.glob("*.password")]
    words = " ".join(word for spec in specs.values() for word in spec.argv())
    assert not [secret for secret in secrets if secret in words]


def test_passwords_are_not_in_what_is_printed_of_a_process(specs: dict[str, ProcessSpec], security: Security) -> None:
    shown = repr(specs["worker-1"])
    assert not [password for password in security.passwords().values() if password in shown]
