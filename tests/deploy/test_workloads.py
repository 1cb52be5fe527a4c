"""Every role of every service runs, hardened, watched, and with the settings that it needs."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from typer.main import get_command

from deploy.local.checkout import ROOT
from kit.run import DatabaseSettings, Role
from kit.settings import ServiceSettings
from settlement.edge.clerk import CutSettings
from tests.deploy.cluster import (
    COMPONENT,
    NAME,
    ROLES,
    SERVICES,
    SPEAK_TO_KAFKA,
    Secret,
    Workload,
    deployments,
    documents,
    of_kind,
    selects,
    service,
    settings,
    workloads,
)

SECRETS = {
    **{Secret(f"{name}-database", "url"): f"postgresql://{name}@db/{name}" for name in SERVICES},
    **{Secret(f"{name}-kafka", "password"): f"kafka-of-{name}" for name in SERVICES},
    Secret("service-token", "token"): "t" * 32,
    Secret("relations-identity", "sm4-key"): "5" * 32,
    Secret("relations-identity", "index-key"): "6" * 64,
    Secret("gateway-seals", "presence-key"): "A" * 43 + "=",
    Secret("gateway-seals", "fingerprint-key"): "7" * 64,
}
"""Every secret that the pods are given by reference, and what it might be."""
SECRET_FILES = {"province-keys": "relations", "gateway-response-key": "gateway"}

every_pod = pytest.mark.parametrize("workload", workloads(), ids=str)
every_role = pytest.mark.parametrize("workload", deployments(), ids=str)


@pytest.mark.parametrize("name", SERVICES)
def test_each_role_of_a_service_is_a_deployment(name: str) -> None:
    """A relay where something is published, the rest everywhere; nothing that is no role."""
    assert set(Role) == ROLES
    needed = ROLES - ({"relay"} if service(name).source is None else set())
    found = {each.component for each in deployments() if each.service == name}
    assert needed <= found <= ROLES


def test_the_gateway_publishes_nothing_and_has_no_relay() -> None:
    assert service("gateway").source is None
    assert not [each for each in deployments() if str(each) == "Deployment/gateway-relay"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_migrates_by_a_job_named_after_the_release(name: str) -> None:
    [job] = [each for each in workloads() if each.kind == "Job" and each.service == name]
    release = job.labels["app.kubernetes.io/version"]
    assert job.document["metadata"]["name"] == f"{name}-migrate-{release}"
    # A dot in it would be a warning of the API server.
    assert re.fullmatch(r"[a-z0-9-]+", job.document["metadata"]["name"])
    assert job.container["args"] == ["migrate"]
    assert job.document["spec"]["activeDeadlineSeconds"] > 0


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_audited_every_night(name: str) -> None:
    [found] = [each for each in by_the_clock() if (each.service, each.component) == (name, "audit")]
    assert found.document["spec"]["schedule"].endswith("* * *")


def test_the_month_that_is_over_is_cut_on_the_first_and_again() -> None:
    [found] = [each for each in by_the_clock() if each.component == "month"]
    assert found.container["args"][:2] == ["month", "cut"]
    minute, hour, days, *rest = found.document["spec"]["schedule"].split()
    assert int(hour) == 0
    assert int(minute) > 0, "not before it is over by the database's clock, too"
    assert days.startswith("1-")
    assert rest == ["*", "*"]


def by_the_clock() -> list[Workload]:
    return [each for each in workloads() if each.kind == "CronJob"]


@pytest.mark.parametrize("workload", by_the_clock(), ids=str)
def test_what_runs_by_the_clock_runs_alone_in_beijing_and_ends(workload: Workload) -> None:
    spec = workload.document["spec"]
    assert spec["timeZone"] == "Asia/Shanghai"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] > 0
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0


@every_pod
def test_a_pod_runs_a_command_of_its_own_service(workload: Workload) -> None:
    command: Any = get_command(import_module(f"{workload.service}.main").app)
    arguments = workload.container["args"]
    assert arguments[0] == workload.component
    while hasattr(command, "commands"):
        first, *arguments = arguments
        command = command.commands[first]
    command.make_context(command.name, arguments)  # which reads them, and refuses others
    assert workload.container["image"].partition("@")[0].endswith(f"/gongji/{workload.service}")


@every_pod
def test_a_pod_can_do_nothing_but_its_work(workload: Workload) -> None:
    pod, container = workload.pod, workload.container
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {
        mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly", False)
    }
    assert writable == {"tmp"}
    assert all(volume.keys() & {"emptyDir", "secret"} for volume in pod["volumes"])


@every_pod
def test_a_pod_says_what_it_needs_and_may_have_no_more(workload: Workload) -> None:
    resources = workload.container["resources"]
    for what in ("requests", "limits"):
        assert resources[what].keys() == {"cpu", "memory"}


@every_pod
def test_an_image_is_named_by_its_digest(workload: Workload) -> None:
    name, _, digest = workload.container["image"].partition("@sha256:")
    assert len(digest) == 64
    assert ":" not in name


@every_role
def test_a_role_is_probed_and_drains(workload: Workload) -> None:
    container = workload.container
    probes = {
        probe: container[f"{probe}Probe"]["httpGet"]
        for probe in ("startup", "liveness", "readiness")
    }
    assert probes == {
        "startup": {"path": "/healthz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }
    assert container["ports"] == [
        {"name": "http", "containerPort": int(settings("shared")["PORT"])}
    ]
    assert workload.pod["terminationGracePeriodSeconds"] >= 60


@every_role
def test_a_role_rolls_without_a_gap_and_spreads(workload: Workload) -> None:
    spec = workload.document["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    spread = workload.pod["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    for each in spread:
        assert selects(each["labelSelector"], workload.labels)
        # The API server refuses a key that is in both.
        assert not set(each["matchLabelKeys"]) & each["labelSelector"]["matchLabels"].keys()


@every_role
def test_a_role_survives_a_node(workload: Workload) -> None:
    """Two at least; but for sweeps, whose work waits in the database."""
    name = workload.document["metadata"]["name"]
    scaled = [
        each["spec"]["minReplicas"]
        for each in of_kind("HorizontalPodAutoscaler")
        if each["spec"]["scaleTargetRef"]["name"] == name
    ]
    replicas = workload.document["spec"].get("replicas")
    assert (replicas is None) == bool(scaled), "one decides how many there are"
    assert (replicas or scaled[0]) >= (1 if workload.component == "sweep" else 2)


@every_role
def test_a_role_is_drained_one_pod_at_a_time(workload: Workload) -> None:
    [budget] = [
        each["spec"]
        for each in of_kind("PodDisruptionBudget")
        if selects(each["spec"]["selector"], workload.labels)
    ]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_selectors_use_what_never_changes() -> None:
    for workload in deployments():
        assert workload.document["spec"]["selector"]["matchLabels"].keys() == {NAME, COMPONENT}
    for kind in ("Service", "PodDisruptionBudget"):
        for document in of_kind(kind):
            selector = document["spec"]["selector"]
            assert selector.get("matchLabels", selector).keys() == {NAME, COMPONENT}


def test_each_service_has_an_account_of_its_own_without_a_token() -> None:
    accounts = {each["metadata"]["name"]: each for each in of_kind("ServiceAccount")}
    assert accounts.keys() == {f"{name}-account" for name in SERVICES}
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    for workload in workloads():
        assert workload.pod["serviceAccountName"] == f"{workload.service}-account"


def fields_of(name: str) -> dict[str, FieldInfo]:
    found = service(name).settings
    assert isinstance(found, type)
    assert issubclass(found, ServiceSettings)
    return found.model_fields


def settings_of(workload: Workload) -> Any:
    """What its process would read of its environment."""
    if workload.component == "month":
        return CutSettings
    return service(workload.service).settings if workload.kind == "Deployment" else DatabaseSettings


@every_pod
def test_a_process_finds_every_setting_that_it_needs(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in fields_of(workload.service):
        monkeypatch.delenv(field.upper(), raising=False)
    for name, value in workload.environment().items():
        monkeypatch.setenv(name, SECRETS[value] if isinstance(value, Secret) else value)
    found = settings_of(workload)()
    assert found.database_url == f"postgresql://{workload.service}@db/{workload.service}"
    assert found.cells == int(settings("shared")["CELLS"])
    if workload.kind == "Deployment":
        assert (found.host, found.port) == ("0.0.0.0", int(settings("shared")["PORT"]))
    if workload.component in SPEAK_TO_KAFKA:
        assert found.kafka_bootstrap_servers == settings("kafka")["KAFKA_BOOTSTRAP_SERVERS"]
        assert found.kafka_security_protocol == "SASL_SSL"
        assert (found.kafka_user, found.kafka_password) == (
            workload.service,
            f"kafka-of-{workload.service}",
        )
    if workload.service == "gateway" and workload.kind == "Deployment":
        assert found.wallet_cells == found.cells


ADDRESSES = {f"{name.upper()}_URL" for name in SERVICES}
"""Of neighbours; one that is not asked yet may be told."""


def is_secret(name: str, field: FieldInfo | None) -> bool:
    if field is None:
        return False
    return not field.repr or field.annotation is SecretStr or name == "database_url"


@every_pod
def test_a_setting_is_not_misspelt_and_a_secret_is_a_reference(workload: Workload) -> None:
    fields = fields_of(workload.service)
    for name, value in workload.environment().items():
        field = fields.get(name.lower())
        assert field or name in ADDRESSES, name
        assert isinstance(value, Secret) == is_secret(name.lower(), field), name


@every_pod
def test_only_what_needs_a_key_is_given_it(workload: Workload) -> None:
    """A migration and an audit know the way to their database, and no key; a cut asks."""
    secrets = {each for each in workload.environment().values() if isinstance(each, Secret)}
    files = {
        volume["secret"]["secretName"] for volume in workload.pod["volumes"] if "secret" in volume
    }
    assert secrets <= SECRETS.keys()
    if workload.kind == "Deployment":
        own = {name for name, owner in SECRET_FILES.items() if owner == workload.service}
        speaks = workload.component in SPEAK_TO_KAFKA
        assert files == own | ({"kafka-ca"} if speaks else set())
        assert (Secret(f"{workload.service}-kafka", "password") in secrets) is speaks
    else:
        token = {Secret("service-token", "token")} if workload.component == "month" else set()
        assert secrets == {Secret(f"{workload.service}-database", "url")} | token
        assert files == set()


def test_files_of_keys_are_where_settings_look() -> None:
    for workload in deployments():
        for name, value in workload.environment().items():
            if name.endswith("_FILE"):
                mounts = [
                    mount["mountPath"]
                    for mount in workload.container["volumeMounts"]
                    if str(value).startswith(mount["mountPath"] + "/")
                ]
                assert len(mounts) == 1, value


def test_every_secret_is_used() -> None:
    used = {
        value
        for workload in workloads()
        for value in workload.environment().values()
        if isinstance(value, Secret)
    }
    assert used == SECRETS.keys()


def test_operations_name_every_secret() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = {
        (name, key)
        for _, names, keys, *_ in (row.split("|") for row in rows)
        for name in re.findall(r"`([\w.-]+)`", names)
        for key in re.findall(r"`([\w.-]+)`", keys)
    }
    assert {(each.name, each.key) for each in SECRETS} <= named
    assert {"kafka-ca", *SECRET_FILES} <= {name for name, _ in named}


def test_neighbours_are_where_they_are_looked_for() -> None:
    doors = {each["metadata"]["name"]: each["spec"] for each in of_kind("Service")}
    assert doors.keys() == {f"{name}-api" for name in SERVICES}
    [gateway] = [each for each in deployments() if str(each) == "Deployment/gateway-api"]
    [month] = [each for each in workloads() if each.component == "month"]
    assert month.environment()["WALLET_URL"] == gateway.environment()["WALLET_URL"]
    for name in ("relations", "wallet", "settlement"):
        address = urlsplit(str(gateway.environment()[f"{name.upper()}_URL"]))
        spec = doors[str(address.hostname)]
        assert [port["port"] for port in spec["ports"]] == [address.port]
        [behind] = [each for each in deployments() if selects_all(spec["selector"], each)]
        assert (behind.service, behind.component) == (name, "api")


def selects_all(selector: dict[str, str], workload: Workload) -> bool:
    return selector.items() <= workload.labels.items()


def test_names_are_unique_of_their_kind() -> None:
    names = Counter((each["kind"], each["metadata"]["name"]) for each in documents())
    assert [name for name, count in names.items() if count > 1] == []
