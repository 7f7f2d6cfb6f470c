"""What the clients of Kafka are told about TLS and SASL; that brokers take it: tests/logcast/stack/test_secure_kafka.py."""

from pathlib import Path
from typing import Any

import pytest

from stores.kafka import client_config, consumer_config, producer_config, transactional_config
from stores.kafka_security import kafka_ssl_context
from stores.settings import SettingsError, load_settings

SCRAM: dict[str, Any] = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_user": "worker",
    "kafka_password": "scram-secret",
    "kafka_ca_file": Path("/etc/logcast/ca.pem"),
}


def test_a_cluster_without_security_is_told_nothing_of_it() -> None:
    assert not [name for name in client_config(load_settings(), "test") if name.startswith(("ssl", "sasl", "security"))]


def test_every_client_has_user_password_and_authority() -> None:
    settings = load_settings(**SCRAM)
    expected = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": "scram-secret",
        "ssl.ca.location": "/etc/logcast/ca.pem",
    }
    for config in (
        client_config(settings, "test"),
        producer_config(settings, "test"),
        consumer_config(settings, "test"),
        transactional_config(settings, "test", "id"),
    ):
        assert {name: config.get(name) for name in expected} == expected


def test_a_client_with_a_certificate_shows_it() -> None:
    settings = load_settings(kafka_security_protocol="SSL", kafka_cert_file=Path("c.pem"), kafka_key_file=Path("k.pem"))
    config = client_config(settings, "test")
    assert (config["ssl.certificate.location"], config["ssl.key.location"]) == ("c.pem", "k.pem")
    assert "sasl.username" not in config


@pytest.mark.parametrize("lacking", ["kafka_user", "kafka_password"])
def test_sasl_without_a_user_or_password_is_refused(lacking: str) -> None:
    with pytest.raises(SettingsError, match="expected kafka_user and kafka_password") as refused:
        load_settings(**(SCRAM | {lacking: ""}))
    assert "scram-secret" not in str(refused.value)


def test_python_s_tls_checks_the_names_of_brokers() -> None:
    assert kafka_ssl_context(load_settings()) is None
    context = kafka_ssl_context(load_settings(kafka_security_protocol="SSL"))
    assert context is not None
    assert context.check_hostname
