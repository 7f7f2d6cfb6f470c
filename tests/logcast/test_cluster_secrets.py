"""Secrets are made once; certificates name their hosts, and are signed by the authority beside them."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from logcast.certificates import hosts_in, issue
from logcast.cluster_secrets import make_secrets

NOW = dt.datetime.now(dt.UTC)


def test_what_is_there_stays_and_what_is_absent_is_made(tmp_path: Path) -> None:
    made = make_secrets(tmp_path, ["kafka-1"], NOW)
    assert {"ca.pem", "ca.key", "kafka.pem", "kafka-worker.password", "redis.password", "links.keys"} <= set(made)
    assert make_secrets(tmp_path, ["kafka-1"], NOW) == []
    (tmp_path / "kafka-worker.password").unlink()
    assert make_secrets(tmp_path, ["kafka-1"], NOW) == ["kafka-worker.password"]


def test_only_the_owner_reads_them_and_no_two_are_alike(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["kafka-1"], NOW)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    contents = [path.read_text() for path in tmp_path.iterdir()]
    assert len(set(contents)) == len(contents)


def test_another_host_makes_the_certificate_anew_and_no_password(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["kafka-1"], NOW)
    assert make_secrets(tmp_path, ["kafka-1", "127.0.0.2"], NOW) == ["cassandra.pem", "kafka.pem", "redis.pem"]
    assert hosts_in(tmp_path / "kafka.pem") == {"kafka-1", "127.0.0.2"}
    assert hosts_in(tmp_path / "cassandra.pem") == {"cassandra", "kafka-1", "127.0.0.2"}


def test_the_authority_signed_the_nodes(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["kafka-1"], NOW)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    node = x509.load_pem_x509_certificate((tmp_path / "kafka.pem").read_bytes())
    node.verify_directly_issued_by(authority)
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "kafka.pem")


def test_without_an_authority_nothing_is_signed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        issue(tmp_path, "kafka", ["kafka-1"], NOW)
