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


def may_use(role: str) -> set[str]:
    return {topic.name for topic in (*RIGHTS[role].reads, *RIGHTS[role].writes)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_what_its_package_names_and_nothing_else(role: str) -> None:
    assert may_use(role) == named_in(PACKAGES[role]), "schemas/rights.py has the table"


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
