"""The component that scales consumers on their lag knows the groups there are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import ALL
from deploy import manifests
from tests.deploy.cluster import SERVICES, settings
from tests.tidy.source import called, modules

COMPONENT = manifests.SOURCES / "components" / "lag-scaling"
NO_RENDERER = "nobody, so that only its own file was read"


def groups(name: str) -> set[str]:
    """The consumer groups of a service, as its code names them."""
    return {
        f"{name}.{ast.literal_eval(keyword.value)}"
        for module in modules(f"services/{name}/src")
        for node in ast.walk(module.tree)
        if called(node) == "consumer" and isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "name"
    }


def scaled() -> dict[str, dict[str, Any]]:
    """By the name of what is scaled."""
    found = manifests.read((COMPONENT / "consumers.yaml").read_text(encoding="utf-8"))
    return {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in found}


@pytest.mark.parametrize("name", SERVICES)
def test_every_group_is_watched(name: str) -> None:
    watched = {
        trigger["metadata"]["consumerGroup"] for trigger in scaled()[f"{name}-consume"]["triggers"]
    }
    assert watched == groups(name)
    assert watched


def test_no_consumer_would_have_nothing_to_read() -> None:
    most = max(topic.partitions for topic in ALL)
    assert all(
        2 <= each["minReplicaCount"] <= each["maxReplicaCount"] for each in scaled().values()
    )
    assert all(each["maxReplicaCount"] <= most for each in scaled().values())


@pytest.mark.parametrize("renderer", manifests.renderers() or [NO_RENDERER])
def test_an_overlay_with_it_leaves_the_number_to_it_as_rendered_by(
    renderer: str, tmp_path: Path
) -> None:
    if renderer == NO_RENDERER:
        assert scaled().keys() == {f"{name}-consume" for name in SERVICES}
        return
    overlay = manifests.SOURCES / "overlays" / "production"
    above = Path(*[".."] * (len(tmp_path.resolve().parents)))
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{above}{overlay}]\ncomponents: [{above}{COMPONENT}]\n"
    )
    rendered = manifests.read(manifests.render(renderer, str(tmp_path)))
    deployments = {
        each["metadata"]["name"]: each["spec"] for each in rendered if each["kind"] == "Deployment"
    }
    for name in scaled():
        assert "replicas" not in deployments[name]
    triggers = [
        trigger["metadata"]["bootstrapServers"]
        for each in rendered
        if each["kind"] == "ScaledObject"
        for trigger in each["spec"]["triggers"]
    ]
    assert set(triggers) == {settings("kafka")["KAFKA_BOOTSTRAP_SERVERS"]}
