"""The cluster as it would be: what was rendered, read as pods, their settings and their company."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from deploy import manifests
from kit.run import Service

Document = dict[str, Any]

SERVICES = ("relations", "wallet", "settlement", "gateway")
ROLES = {"api", "consume", "relay", "sweep"}
SPEAK_TO_KAFKA = {"consume", "relay"}
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that lies in a Secret, under a key."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Something that makes pods. `template` is that of its pods."""

    kind: str
    document: Document
    template: Document

    def __str__(self) -> str:
        return f"{self.kind}/{self.document['metadata']['name']}"

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template["metadata"]["labels"])

    @property
    def service(self) -> str:
        return self.labels[NAME]

    @property
    def component(self) -> str:
        return self.labels[COMPONENT]

    @property
    def pod(self) -> Document:
        return dict(self.template["spec"])

    @property
    def container(self) -> Document:
        [container] = self.pod["containers"]
        return dict(container)

    def environment(self) -> dict[str, str | Secret]:
        """What the process sees, as Kubernetes puts it together: envFrom first, env wins."""
        seen: dict[str, str | Secret] = {}
        for source in self.container.get("envFrom", []):
            seen |= config_map(source["configMapRef"]["name"])
        for entry in self.container.get("env", []):
            seen[entry["name"]] = _value(entry)
        return seen


def _value(entry: Document) -> str | Secret:
    if "value" in entry:
        return str(entry["value"])
    told = entry["valueFrom"]
    if "configMapKeyRef" in told:
        return config_map(told["configMapKeyRef"]["name"])[told["configMapKeyRef"]["key"]]
    return Secret(told["secretKeyRef"]["name"], told["secretKeyRef"]["key"])


@cache
def documents() -> tuple[Document, ...]:
    return tuple(manifests.read(manifests.KEPT.read_text(encoding="utf-8")))


def of_kind(kind: str) -> list[Document]:
    return [document for document in documents() if document["kind"] == kind]


def config_map(name: str) -> dict[str, str]:
    [found] = [each for each in of_kind("ConfigMap") if each["metadata"]["name"] == name]
    return dict(found["data"])


def settings(name: str) -> dict[str, str]:
    """A ConfigMap by its name without the hash: `shared` is what every process has."""
    [found] = [
        each["metadata"]["name"]
        for each in of_kind("ConfigMap")
        if each["metadata"]["name"].rpartition("-")[0] == name
    ]
    return config_map(found)


@cache
def workloads() -> tuple[Workload, ...]:
    return tuple(
        Workload(kind=kind, document=document, template=_template(kind, document["spec"]))
        for kind in ("Deployment", "Job", "CronJob")
        for document in of_kind(kind)
    )


def _template(kind: str, spec: Document) -> Document:
    found = spec["jobTemplate"]["spec"] if kind == "CronJob" else spec
    return dict(found["template"])


def deployments() -> tuple[Workload, ...]:
    return tuple(each for each in workloads() if each.kind == "Deployment")


def service(name: str) -> Service[Any]:
    found = import_module(f"{name}.main").SERVICE
    assert isinstance(found, Service)
    return found


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses something with these labels; an empty one chooses all."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", "no other is used here"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
