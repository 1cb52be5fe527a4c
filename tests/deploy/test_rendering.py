"""What is kept of the rendering is what kustomize makes, and what Kubernetes takes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest

from deploy import manifests
from tests.deploy.cluster import documents, of_kind

NO_RENDERER = "nothing, so that only the digest of the sources was compared"


def by_identity(found: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def test_the_kept_rendering_is_of_these_sources() -> None:
    assert manifests.kept_digest() == manifests.digest(), "run `make manifests`"


@pytest.mark.parametrize("renderer", manifests.renderers() or [NO_RENDERER])
def test_what_is_kept_is_what_is_rendered_by(renderer: str) -> None:
    if renderer == NO_RENDERER:
        assert manifests.kept_digest() == manifests.digest()
        return
    rendered = manifests.read(manifests.render(renderer))
    assert by_identity(rendered) == by_identity(list(documents()))
    assert len(rendered) == len(documents())


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_every_document_fits_the_schemas_of_kubernetes(version: str) -> None:
    assert len(documents()) > 50
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda spec: spec.update(replica=3), "replica"),
        (lambda spec: spec.update(replicas="three"), "three"),
        (lambda spec: spec.pop("selector"), "selector"),
        (lambda spec: spec["template"]["spec"]["containers"][0].update(env={}), "{}"),
    ],
)
def test_a_planted_mistake_does_not_fit(spoil: Any, complaint: str) -> None:
    document = deepcopy(of_kind("Deployment")[0])
    spoil(document["spec"])
    with pytest.raises(kubernetes_validate.ValidationError, match=complaint):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_everything_lies_in_one_namespace_with_the_recommended_labels() -> None:
    for document in documents():
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "gongji", document["metadata"]["name"]
        assert labels["app.kubernetes.io/version"], document["metadata"]["name"]
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "gongji", document["metadata"]["name"]


def test_the_namespace_admits_restricted_pods_alone() -> None:
    [namespace] = of_kind("Namespace")
    for what in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{what}"] == "restricted"


def test_no_secret_is_kept_in_git() -> None:
    assert of_kind("Secret") == []
    for path in manifests.SOURCES.parent.rglob("*"):
        if path.suffix in (".yaml", ".env", ".sh"):
            text = path.read_text(encoding="utf-8")
            assert "PRIVATE KEY" not in text, path
            assert "secretGenerator" not in text, path
