"""The Helm chart, linted and rendered by Helm's own engine (helm-python-sdk binds the official library)."""

import datetime as dt
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.ingest_relay import ingest_url
from logcast.cluster_secrets import make_secrets
from logcast.roles import ROLES
from stores.settings import Settings, load_settings
from tests.needed import missing

helm: Any = import_module("helm_python") if find_spec("helm_python") else None

CHART = Path(__file__).parents[2] / "docker" / "helm" / "logcast"
EVERYTHING = {"ingress": {"enabled": True, "tlsSecretName": "tls"}, "serviceMonitor": {"enabled": True}}
INFO = 1


@pytest.fixture(autouse=True)
def engine() -> None:
    """Helm's own."""
    if helm is None:
        missing("helm-python-sdk", "pip install -e '.[test]'")


def rendered(values: dict[str, Any] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """What is sent to the cluster, by kind and name."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values or {}, name="live", namespace="prod")
    documents = [
        document
        for path, text in files.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    found = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    assert len(found) == len(documents), "no name comes twice"
    return found


@cache
def default() -> dict[tuple[str, str], dict[str, Any]]:
    return rendered()


def pod(role: str) -> dict[str, Any]:
    kind = "StatefulSet" if role in {"ingest", "worker"} else "Deployment"
    template: dict[str, Any] = default()[kind, f"live-{role}"]["spec"]["template"]
    return template


def test_lint_finds_nothing_but_that_an_icon_would_be_nice() -> None:
    report = helm.lint(CHART, EVERYTHING, strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > INFO] == []


def test_there_is_a_workload_a_service_and_a_budget_for_every_role() -> None:
    for role in ROLES:
        assert pod(role)["spec"]["containers"][0]["args"] == ["serve", role]
        labels = pod(role)["metadata"]["labels"]
        for kind in ("Service", "PodDisruptionBudget"):
            selector = default()[kind, f"live-{role}"]["spec"]["selector"]
            assert selector.get("matchLabels", selector).items() <= labels.items()


def test_options_add_an_ingress_and_a_monitor() -> None:
    assert {"Ingress", "PodMonitor"}.isdisjoint(kind for kind, _ in default())
    assert {"Ingress", "PodMonitor"} <= {kind for kind, _ in rendered(EVERYTHING)}


def test_settings_are_settings() -> None:
    fields = {f"LOGCAST_{name.upper()}" for name in Settings.model_fields}
    assert set(default()["ConfigMap", "live-settings"]["data"]) <= fields
    for role in ROLES:
        names = {variable["name"] for variable in pod(role)["spec"]["containers"][0]["env"]}
        assert {name if name in fields else name.removesuffix("_FILE") for name in names} <= fields


def test_a_pod_gets_the_secrets_that_it_reads_and_of_kafka_s_passwords_its_own_only(tmp_path: Path) -> None:
    make_secrets(tmp_path, ["kafka"], dt.datetime.now(dt.UTC))
    made = {path.name for path in tmp_path.iterdir()}
    for role in ROLES:
        spec = pod(role)["spec"]
        (secret,) = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
        given = {item["key"] for item in secret["items"]}
        read = {Path(v["value"]).name for v in spec["containers"][0]["env"] if v["name"].endswith("_FILE")}
        assert read | {"ca.pem"} == given
        assert given <= made
        assert {name for name in given if name.startswith("kafka")} == {f"kafka-{role}.password"}


def test_nobody_runs_as_root_or_writes_where_nothing_is_to_be_written() -> None:
    job = default()["Job", "live-init"]["spec"]["template"]
    for template in (job, *map(pod, ROLES)):
        spec, container = template["spec"], template["spec"]["containers"][0]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not spec["automountServiceAccountToken"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {"secrets", "data", "tmp"}


def test_every_role_is_probed_where_it_answers() -> None:
    ports = {role: Settings.model_fields[f"health_port_{role}"].default for role in ("ingest", "worker", "consumers")}
    for role in ROLES:
        container = pod(role)["spec"]["containers"][0]
        (health,) = [port["containerPort"] for port in container["ports"] if port["name"] == "health"]
        assert health == ports.get(role, Settings.model_fields["http_port"].default)
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def test_workers_keep_their_place_in_the_group_and_ingests_their_disk() -> None:
    env = {variable["name"]: variable for variable in pod("worker")["spec"]["containers"][0]["env"]}
    assert env["LOGCAST_WORKER_SLOT"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    (claim,) = default()["StatefulSet", "live-ingest"]["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert "data" not in [volume["name"] for volume in pod("ingest")["spec"]["volumes"]]


def test_gateways_find_every_ingest_by_its_name_for_lossless_pushes() -> None:
    three = rendered({"ingest": {"replicas": 3}})
    env = three["Deployment", "live-gateway"]["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = [variable["value"] for variable in env if variable["name"] == "LOGCAST_INGEST_URL"]
    assert url.split(",") == [f"ws://live-ingest-{n}.live-ingests:1936" for n in range(3)]
    assert ingest_url(load_settings(ingest_url=url), "one") in url.split(",")
    ingest = three["StatefulSet", "live-ingest"]["spec"]
    assert ingest["serviceName"] == "live-ingests"
    service = three["Service", "live-ingests"]["spec"]
    assert service["clusterIP"] == "None"
    ports = {port["name"]: port["containerPort"] for port in ingest["template"]["spec"]["containers"][0]["ports"]}
    assert [ports[port["targetPort"]] for port in service["ports"]] == [1936]


def test_a_wrong_value_is_refused() -> None:
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError, match="replicas"):
        chart.validate_schema({"worker": {"replicas": 0}})
