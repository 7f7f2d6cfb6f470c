"""How clients prove to Kafka who they are, and know the brokers: TLS and SASL/SCRAM, for librdkafka and for Faust."""

import ssl
from typing import Any

from stores.settings import Settings


def librdkafka_security(settings: Settings) -> dict[str, Any]:
    """What confluent-kafka is told; nothing for a cluster without either."""
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return {}
    config: dict[str, Any] = {"security.protocol": protocol}
    if protocol.startswith("SASL_"):
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    if protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.kafka_ca_file,
            "ssl.certificate.location": settings.kafka_cert_file,
            "ssl.key.location": settings.kafka_key_file,
        }
        config |= {name: str(path) for name, path in files.items() if path}
    return config


def kafka_ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """The same for Python's TLS: brokers are checked by name; None without TLS.

    Raises:
        OSError: a certificate or key file is absent or holds none.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_cert_file:
        context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file)
    return context
