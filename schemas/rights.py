"""What each role may do on Kafka, and no more: the one table that the ACLs, the documentation and a test are made from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from schemas.topics import (
    ADS_BREAKS,
    ADS_CUES,
    CHANNELS_RULES,
    COMMENTS_FEED,
    COMMENTS_REJECTED,
    COMMENTS_REVIEW,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    CUES_STATE,
    DEAD_LETTERS,
    INGEST_HEALTH,
    JOBS_STATE,
    MEDIA_GOPS,
    MEDIA_JOBS,
    MEDIA_PARTS,
    MEDIA_RENDITIONS,
    MEDIA_SOURCE,
    MEDIA_TASKS,
    MODERATION,
    PRESENCE,
    REACTIONS,
    REACTIONS_PLACED,
    REACTIONS_STATE,
    RECORDINGS,
    TOTALS,
    VIDEOS,
    VIDEOS_CAPTIONS,
    VIDEOS_SETTINGS,
    VIEWERS,
    VIEWERS_STATE,
    Topic,
)

NO_GROUP: Final = "none"
"""The group id of readers that join none: the client library asks for its coordinator all the same."""

STATES: Final = (COMMENTS_STATE, REACTIONS_STATE, VIEWERS_STATE, CUES_STATE, JOBS_STATE)


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role reads and writes.

    Attributes:
        reads: topics.
        writes: topics.
        groups: ids of consumer groups that it joins; empty: the worker's, which is a setting.
        ledgers: topics with whose names its transactional ids begin.
    """

    reads: tuple[Topic, ...]
    writes: tuple[Topic, ...]
    groups: tuple[str, ...] = ()
    ledgers: tuple[Topic, ...] = ()


RIGHTS: Final[dict[str, Rights]] = {
    "ingest": Rights(
        reads=(VIDEOS, MEDIA_GOPS, MEDIA_SOURCE),
        writes=(VIDEOS, MEDIA_GOPS, MEDIA_SOURCE, INGEST_HEALTH),
    ),
    "worker": Rights(
        reads=(
            *(MEDIA_SOURCE, MEDIA_GOPS, MEDIA_JOBS, MEDIA_TASKS, VIDEOS, VIDEOS_SETTINGS),
            *(COMMENTS_SUBMITTED, REACTIONS, PRESENCE, ADS_CUES),
            *STATES,
        ),
        writes=(
            *(MEDIA_PARTS, MEDIA_JOBS, MEDIA_TASKS, MEDIA_RENDITIONS),
            *(COMMENTS_FEED, COMMENTS_REJECTED, COMMENTS_REVIEW, REACTIONS, TOTALS, VIEWERS, ADS_BREAKS),
            COMMENTS_SUBMITTED,  # an approval lets its writer pass in every partition
            *STATES,
            DEAD_LETTERS,
        ),
        ledgers=STATES,
    ),
    "consumers": Rights(
        reads=(
            *(MEDIA_PARTS, MEDIA_JOBS, MEDIA_RENDITIONS, RECORDINGS, VIDEOS, VIDEOS_SETTINGS, VIDEOS_CAPTIONS),
            *(COMMENTS_FEED, MODERATION, REACTIONS, REACTIONS_PLACED, TOTALS, VIEWERS, ADS_BREAKS),
        ),
        writes=(
            *(RECORDINGS, VIDEOS_SETTINGS, DEAD_LETTERS),
            *(COMMENTS_SUBMITTED, REACTIONS, PRESENCE, ADS_CUES, MEDIA_JOBS),  # what is kept of a removed video goes
            *(VIDEOS, VIDEOS_CAPTIONS, MEDIA_GOPS, MEDIA_RENDITIONS),
        ),
        groups=("logcast-cassandra", "logcast-archiver"),
    ),
    "gateway": Rights(
        reads=(
            *(MEDIA_PARTS, MEDIA_RENDITIONS, VIDEOS, VIDEOS_SETTINGS, VIDEOS_CAPTIONS),
            *(COMMENTS_FEED, COMMENTS_REJECTED, COMMENTS_REVIEW, COMMENTS_SUBMITTED, MODERATION, CHANNELS_RULES),
            *(TOTALS, VIEWERS, ADS_BREAKS, INGEST_HEALTH),
        ),
        writes=(
            *(COMMENTS_SUBMITTED, MODERATION, CHANNELS_RULES, REACTIONS, REACTIONS_PLACED, PRESENCE, ADS_CUES),
            *(VIDEOS, VIDEOS_SETTINGS, VIDEOS_CAPTIONS, MEDIA_PARTS, MEDIA_JOBS),
        ),
    ),
}
"""By role, which is the name of its user too. Who makes topics, users and rights is `admin`."""

ROLES: Final = tuple(RIGHTS)

Kind = Literal["topic", "group", "transactional id"]


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One ACL: `user` may do `operation` on a resource of this name, or, if `prefixed`, of names that begin so."""

    user: str
    kind: Kind
    name: str
    operation: Literal["READ", "WRITE"]
    prefixed: bool = False


def rules(prefix: str, worker_group: str) -> list[Rule]:
    """The ACLs of all roles on a cluster where names begin with `prefix`."""
    return [rule for role, rights in RIGHTS.items() for rule in _rules_of(role, rights, prefix, worker_group)]


def _rules_of(role: str, rights: Rights, prefix: str, worker_group: str) -> Iterator[Rule]:
    for topic in rights.reads:
        yield Rule(role, "topic", prefix + topic.name, "READ")
    for topic in rights.writes:
        yield Rule(role, "topic", prefix + topic.name, "WRITE")
    own = (worker_group, f"{worker_group}-standby") if role == "worker" else rights.groups
    for group in (*own, NO_GROUP):
        yield Rule(role, "group", prefix + group, "READ")
    for topic in rights.ledgers:
        yield Rule(role, "transactional id", f"{prefix}{topic.name}-", "WRITE", prefixed=True)


def rights_table() -> str:
    """The rights as a Markdown table, for docs/clusters.md."""
    heads = ["topic", *ROLES]
    topics = sorted({topic.name for rights in RIGHTS.values() for topic in (*rights.reads, *rights.writes)})
    lines = [
        heads,
        ["---"] * len(heads),
        *([f"`{name}`", *(_may(rights, name) for rights in RIGHTS.values())] for name in topics),
        ["consumer groups", *(", ".join(f"`{group}`" for group in _groups_of(role)) for role in ROLES)],
        ["transactions", *("of its states" if rights.ledgers else "" for rights in RIGHTS.values())],
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _may(rights: Rights, name: str) -> str:
    reads = any(topic.name == name for topic in rights.reads)
    writes = any(topic.name == name for topic in rights.writes)
    return " ".join(word for word, yes in (("reads", reads), ("writes", writes)) if yes)


def _groups_of(role: str) -> tuple[str, ...]:
    return ("LOGCAST_WORKER_GROUP", "LOGCAST_WORKER_GROUP-standby") if role == "worker" else RIGHTS[role].groups
