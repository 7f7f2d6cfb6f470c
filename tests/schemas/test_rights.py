"""The table of rights against the code: what a package names, its role may use, and no role has rights that nobody uses."""

import ast
from pathlib import Path

import pytest

import schemas.topics
from schemas.rights import RIGHTS, ROLES, rights_table, rules
from schemas.topics import ALL_TOPICS, Topic

ROOT = Path(__file__).parents[2]
PACKAGES = {"ingest": "producers", "worker": "processors", "consumers": "consumers", "gateway": "gateway"}
NAMES = {name: value for name, value in vars(schemas.topics).items() if isinstance(value, Topic)}

OPERATOR = {"file_import.py", "tail.py", "keeping.py"}
"""Modules that only commands of the operator run."""


def named_in(package: str) -> set[str]:
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        if path.name not in OPERATOR:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "schemas.topics":
                    found |= {NAMES[alias.name].name for alias in node.names if alias.name in NAMES}
    return found


def first_arguments(package: str, methods: set[str], at: int = 0) -> set[str]:
    """The topics that are named as an argument of calls of such methods."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        if path.name not in OPERATOR:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and len(node.args) > at and isinstance(node.args[at], ast.Name):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    topic = NAMES.get(node.args[at].id)  # type: ignore[attr-defined]  # it is a Name
                    if called in methods and topic is not None:
                        found.add(topic.name)
    return found


def may_use(role: str) -> set[str]:
    return {topic.name for topic in (*RIGHTS[role].reads, *RIGHTS[role].writes)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_what_its_package_names_and_nothing_else(role: str) -> None:
    assert may_use(role) == named_in(PACKAGES[role]), "schemas/rights.py has the table"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_write_what_its_package_sends(role: str) -> None:
    sent = first_arguments(PACKAGES[role], {"send", "deliver", "delete", "enqueue"})
    assert sent
    assert sent <= {topic.name for topic in RIGHTS[role].writes}


def test_a_gateway_may_read_what_it_subscribes_to_and_nothing_else() -> None:
    subscribed = first_arguments("gateway", {"subscribe"})
    looked_up = first_arguments("gateway", {"to_thread"}, at=2)  # of `read_one`
    assert looked_up == {"comments.submitted"}
    assert subscribed | looked_up == {topic.name for topic in RIGHTS["gateway"].reads}


def test_every_topic_is_written_by_somebody() -> None:
    written = {topic.name for rights in RIGHTS.values() for topic in rights.writes}
    assert written == {topic.name for topic in ALL_TOPICS}


def test_rules_carry_the_cluster_s_prefix_and_group() -> None:
    made = rules("t.", "second")
    assert {rule.name for rule in made if rule.kind == "group" and rule.user == "worker"} == {
        "t.second",
        "t.second-standby",
        "t.none",
    }
    assert all(rule.name.startswith("t.") for rule in made)
    assert all(rule.prefixed == (rule.kind == "transactional id") for rule in made)


def test_the_documented_table_is_the_one_that_is_applied() -> None:
    assert rights_table() in (ROOT / "docs" / "clusters.md").read_text("utf-8"), "`logcast kafka acls table` prints it"
