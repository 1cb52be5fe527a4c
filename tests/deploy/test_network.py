"""Who may talk to whom: exactly those who must, by the policies as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.deploy.cluster import (
    SERVICES,
    SPEAK_TO_KAFKA,
    Document,
    deployments,
    of_kind,
    selects,
    workloads,
)

NAMESPACE = "gongji"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A pod in a namespace, or (without one) an address outside the cluster."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    address: str = ""


def pods() -> list[Party]:
    return [
        Party(name=f"{each.service} {each.component}", namespace=NAMESPACE, labels=each.labels)
        for each in workloads()
    ]


OUTSIDE = [
    Party(name="postgresql", namespace="postgresql"),
    Party(name="kafka", namespace="kafka"),
    Party(name="ingress", namespace="ingress"),
    Party(name="monitoring", namespace="monitoring"),
    Party(name="dns", namespace="kube-system", labels={"k8s-app": "kube-dns"}),
    Party(name="a kubelet's neighbour", namespace="kube-system"),
    Party(name="another tenant", namespace="default", labels={"app.kubernetes.io/name": "gateway"}),
    Party(name="issuer and decoder", address="192.0.2.7"),
    Party(name="the internet", address="198.51.100.1"),
]
PORTS = (53, 443, 5432, 8080, 9092, 9093)

Edge = tuple[str, str, int]


def may(policies: Sequence[Document], source: Party, target: Party, port: int) -> bool:
    """Whether a connection comes about: what applies to either end must let it through."""
    return _passes(policies, "egress", source, target, port) and _passes(
        policies, "ingress", target, source, port
    )


def _passes(policies: Sequence[Document], way: str, chosen: Party, other: Party, port: int) -> bool:
    applying = [
        each["spec"]
        for each in policies
        if each["metadata"]["namespace"] == chosen.namespace
        and way.capitalize() in each["spec"]["policyTypes"]
        and selects(each["spec"]["podSelector"], chosen.labels)
    ]
    if not applying:
        return True  # nobody said anything, which in Kubernetes is yes
    other_end = {"egress": "to", "ingress": "from"}[way]
    return any(
        _covers(rule.get("ports", []), port) and any(_is(peer, other) for peer in rule[other_end])
        for spec in applying
        for rule in spec.get(way, [])
    )


def _covers(ports: Iterable[Document], port: int) -> bool:
    return any(each["port"] == port for each in ports)


def _is(peer: dict[str, Any], party: Party) -> bool:
    if "ipBlock" in peer:
        block = ip_network(peer["ipBlock"]["cidr"])
        return bool(party.address) and ip_address(party.address) in block
    if party.address:
        return False
    if "namespaceSelector" in peer:
        name = {"kubernetes.io/metadata.name": party.namespace}
        if not selects(peer["namespaceSelector"], name):
            return False
    elif party.namespace != NAMESPACE:
        return False
    return selects(peer.get("podSelector", {}), party.labels)


def reached(policies: Sequence[Document]) -> set[Edge]:
    ours = pods()
    pairs = [(one, two) for one in ours for two in [*ours, *OUTSIDE]]
    pairs += [(one, two) for one in OUTSIDE for two in ours]
    return {
        (one.name, two.name, port)
        for one, two in pairs
        for port in PORTS
        if one != two and may(policies, one, two, port)
    }


def wanted() -> set[Edge]:
    """Design and nothing else: the gateway asks three, all keep books, some speak to Kafka."""
    edges = {("gateway api", f"{name} api", 8080) for name in SERVICES if name != "gateway"}
    edges.add(("settlement month", "wallet api", 8080))
    edges |= {("gateway api", "issuer and decoder", 443), ("ingress", "gateway api", 8080)}
    for pod in pods():
        edges |= {(pod.name, "postgresql", 5432), (pod.name, "dns", 53)}
    for role in deployments():
        name = f"{role.service} {role.component}"
        edges.add(("monitoring", name, 8080))
        if role.component in SPEAK_TO_KAFKA:
            edges.add((name, "kafka", 9093))
    return edges


def test_exactly_those_talk_who_must() -> None:
    found = reached(of_kind("NetworkPolicy"))
    assert sorted(found - wanted()) == []
    assert sorted(wanted() - found) == []


@pytest.mark.parametrize("name", [each["metadata"]["name"] for each in of_kind("NetworkPolicy")])
def test_no_policy_is_superfluous(name: str) -> None:
    """Without any one of them the picture is another: so the picture is drawn from all."""
    others = [each for each in of_kind("NetworkPolicy") if each["metadata"]["name"] != name]
    assert reached(others) != wanted()
