"""An authority of our own for the machines of one installation, and the certificates that it signs.

Keys are P-256. A node's certificate names every host and address that the nodes are reached by, for both ends of TLS:
nodes are clients of one another.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stores.secrets import write_secret

AUTHORITY_DAYS: Final = 3_650
NODE_DAYS: Final = 730
CLOCK_SLACK: Final = dt.timedelta(minutes=10)
"""A certificate is valid from a little before it was made: clocks differ."""

Key = ec.EllipticCurvePrivateKey


def ensure_authority(directory: Path, now: dt.datetime) -> None:
    """Make `ca.pem` and `ca.key` where they are absent."""
    if (directory / "ca.pem").exists() and (directory / "ca.key").exists():
        return
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Logcast authority")
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_secret(directory / "ca.key", _pem_of(key))
    write_secret(directory / "ca.pem", _text(certificate))


def issue(directory: Path, name: str, hosts: Sequence[str], now: dt.datetime) -> None:
    """Write `NAME.pem`: a new key and its certificate, signed by the authority of the directory.

    Raises:
        OSError, ValueError: the authority's files are absent or broken.
    """
    authority = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
    authority_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    if not isinstance(authority_key, Key):
        raise ValueError(f"{directory / 'ca.key'}: expected a P-256 key")  # noqa: TRY004  (of a file, not of an argument)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(name), authority.subject, key.public_key(), now, NODE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    write_secret(directory / f"{name}.pem", _pem_of(key) + _text(certificate))


def hosts_in(path: Path) -> set[str]:
    """The names and addresses that a PEM file's certificate is for."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    }


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem_of(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
