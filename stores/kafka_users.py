"""Makes Kafka's users and their rights, as the admin; doing it twice changes nothing. Blocking, for use in threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from schemas.rights import ROLES, Rule, rules
from stores.kafka import LogError, client_config
from stores.settings import Settings

TIMEOUT_S: Final = 30.0
ITERATIONS: Final = 8_192
"""Of SCRAM; Kafka takes 4,096 to 16,384."""

KINDS: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
}
MECHANISMS: Final = {
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
}


@dataclass(frozen=True, slots=True)
class RightsReport:
    """What `apply_rights` did."""

    added: tuple[Rule, ...]
    taken: tuple[Rule, ...]


def apply_users(settings: Settings, passwords: Mapping[str, str]) -> None:
    """Give every user of `passwords` this password.

    Raises:
        LogError: the brokers do not answer, or we may not.
    """
    mechanism = MECHANISMS[settings.kafka_sasl_mechanism]
    changes: list[Any] = [
        UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, ITERATIONS), password.encode())
        for user, password in passwords.items()
    ]
    admin = AdminClient(client_config(settings, "users"))  # its futures end with it
    for user, future in admin.alter_user_scram_credentials(changes).items():
        _result(future, f"cannot make the user {user}")


def apply_rights(settings: Settings) -> RightsReport:
    """Make the ACLs of `schemas.rights`, and take away what else our roles may read and write.

    Raises:
        LogError: the brokers do not answer, or we may not.
    """
    admin = AdminClient(client_config(settings, "rights"))
    have, wanted = rights_there(settings), set(rules(settings.topic_prefix, settings.worker_group))
    added, taken = sorted(wanted - have), sorted(have - wanted)
    for future in (admin.create_acls([_binding(rule) for rule in added]) if added else {}).values():
        _result(future, "cannot make a right")
    filters = [_filter(rule) for rule in taken]
    for future in (admin.delete_acls(filters) if filters else {}).values():
        _result(future, "cannot take a right away")
    return RightsReport(tuple(added), tuple(taken))


def rights_there(settings: Settings) -> set[Rule]:
    """The rights that our roles have now.

    Raises:
        LogError: the brokers do not answer, or we may not see them.
    """
    any_name: Any = None
    any_ = AclBindingFilter(
        *(ResourceType.ANY, any_name, ResourcePatternType.ANY, any_name, any_name),
        *(AclOperation.ANY, AclPermissionType.ALLOW),
    )
    admin = AdminClient(client_config(settings, "rights"))
    found = _result(admin.describe_acls(any_), "cannot see the rights")
    return {rule for binding in found if (rule := _rule(binding)) is not None}


def _binding(rule: Rule) -> AclBinding:
    return AclBinding(*_parts(rule))


def _filter(rule: Rule) -> AclBindingFilter:
    return AclBindingFilter(*_parts(rule))


def _parts(rule: Rule) -> tuple[Any, ...]:
    pattern = ResourcePatternType.PREFIXED if rule.prefixed else ResourcePatternType.LITERAL
    operation = AclOperation[rule.operation]
    return KINDS[rule.kind], rule.name, pattern, f"User:{rule.user}", "*", operation, AclPermissionType.ALLOW


def _rule(binding: Any) -> Rule | None:
    """An ACL as a rule; None when it is not about a role of ours, or of a kind that we do not make."""
    user = binding.principal.removeprefix("User:")
    kind: Any = next((name for name, type_ in KINDS.items() if type_ == binding.restype), None)
    if user not in ROLES or kind is None or binding.operation.name not in {"READ", "WRITE"}:
        return None
    prefixed = binding.resource_pattern_type == ResourcePatternType.PREFIXED
    return Rule(user, kind, binding.name, binding.operation.name, prefixed)


def _result(future: Any, what: str) -> Any:
    try:
        return future.result(timeout=TIMEOUT_S)
    except KafkaException as error:
        raise LogError(f"{what}: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise LogError(f"{what}: Kafka did not answer within {TIMEOUT_S:g} s") from error
