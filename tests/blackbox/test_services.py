"""Every service shows that it lives, that it is ready, what it counts and what it offers."""

from __future__ import annotations

import re

import pytest

from tests.blackbox.world import World

SERVICES = ("gateway", "relations", "wallet", "settlement", "sandbox")


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, world: World) -> str:
    if request.param == "settlement" and "settlement" not in world.stack.told:
        pytest.skip("this stack has no settlement")
    return world.stack.url(request.param)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_it_is_alive_and_ready(world: World, service: str, path: str) -> None:
    assert world.send("GET", service + path).status == 200


def test_it_counts(world: World, service: str) -> None:
    world.send("GET", f"{service}/healthz")
    metrics = world.send("GET", f"{service}/metrics")
    assert metrics.status == 200
    assert b"# TYPE" in metrics.body


def test_it_describes_itself(world: World, service: str) -> None:
    described = world.send("GET", f"{service}/openapi.json").of(200)
    assert described["openapi"].startswith("3.")
    assert "paths" in described


def test_its_documentation_needs_no_network(world: World, service: str) -> None:
    page = world.send("GET", f"{service}/docs")
    assert page.status == 200
    referred = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.body.decode())
    assert referred
    for address in referred:
        assert not re.match(r"(https?:)?//", address), address
        assert world.send("GET", service + address).status == 200


def test_the_stack_file_tells_all_that_is_promised(world: World) -> None:
    told = world.stack.told
    for name in ("gateway", "relations", "wallet", "sandbox", "kafka", "databases", "pids"):
        assert told[name], name
    for name in ("gateway_public_key", "clerks", "institutions", "province_keys"):
        assert name in told
    for code, each in told["institutions"].items():
        assert re.fullmatch(r"[HP][0-9]{11}", code)
        assert {
            "name",
            "kind",
            "mdtrtarea_admvs",
            "key_id",
            "algorithm",
            "private_key_file",
        } <= set(each)
    for key in told["province_keys"].values():
        assert key["key_id"]
        assert len(bytes.fromhex(key["sm4_key_hex"])) == 16


PUBLIC = {
    ("/v1/me/wallet", "get"),
    ("/v1/me/wallet", "post"),
    ("/v1/me/relations", "post"),
    ("/v1/me/quotas", "get"),
    ("/v1/presences", "post"),
    ("/v1/payments", "post"),
}


def test_the_public_routes_are_described(world: World) -> None:
    paths = world.send("GET", f"{world.stack.url('gateway')}/openapi.json").of(200)["paths"]
    missing = {(path, method) for path, method in PUBLIC if method not in paths.get(path, {})}
    assert not missing
