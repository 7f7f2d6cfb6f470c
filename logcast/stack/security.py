"""What `logcast up --secure` adds: TLS, users and rights on Kafka, passwords on Cassandra, from secrets in one directory."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from logcast.cluster_secrets import ADMIN, NODE, make_secrets, password_file
from logcast.stack.kafka_listeners import BrokerFiles
from schemas.rights import ROLES
from stores.secret_files import secret_in
from stores.settings import Settings

CASSANDRA_USER: Final = "logcast"


@dataclass(frozen=True, slots=True)
class Security:
    """The secrets of a stack, in `directory`."""

    directory: Path

    def prepare(self, hosts: Sequence[str]) -> None:
        """Make what is absent; nodes are reached by `hosts`."""
        make_secrets(self.directory, ["localhost", *hosts], dt.datetime.now(dt.UTC))

    @property
    def broker_files(self) -> BrokerFiles:
        """What a Kafka node is given."""
        directory = self.directory
        return BrokerFiles(directory / f"{NODE}.pem", directory / "ca.pem", password_file(directory, ADMIN))

    def settings_of(self, settings: Settings, user: str = ADMIN) -> Settings:
        """The settings of a role, or of the admin: who it is, and whom it believes."""
        return settings.model_copy(
            update={
                "kafka_security_protocol": "SASL_SSL",
                "kafka_user": user,
                "kafka_password": SecretStr(self._secret(password_file(self.directory, user))),
                "kafka_ca_file": self.directory / "ca.pem",
                "cassandra_user": CASSANDRA_USER,
                "cassandra_password": SecretStr(self._secret(self.directory / "cassandra.password")),
            }
        )

    def passwords(self) -> dict[str, str]:
        """Kafka's passwords of our roles."""
        return {role: self._secret(password_file(self.directory, role)) for role in ROLES}

    @property
    def cassandra_admin_password(self) -> str:
        """Of Cassandra's superuser."""
        return self._secret(self.directory / "cassandra-admin.password")

    @staticmethod
    def _secret(path: Path) -> str:
        return secret_in(path, path.name)
