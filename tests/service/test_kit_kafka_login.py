"""A broker that encrypts and asks for a name: who has the settings for it is let in, others not."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from pydantic import ValidationError

from deploy.local.checkout import ROOT
from deploy.local.jars import ensure_jars
from deploy.local.kafka import Broker as LocalBroker
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.program import await_ready, stop
from kit.kafka import Broker, Topic, ensure_topics, reach
from kit.settings import ServiceSettings

NAME, PASSWORD = "wallet", "not-to-be-guessed"
MECHANISM = "SCRAM-SHA-512"
LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def certificate(folder: Path) -> Path:
    """A self-signed one of the loopback: `ca.pem`, and `server.pem` with its key."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(private + pem)
    return folder / "ca.pem"


class GuardedBroker(LocalBroker):
    """Its clients' door is TLS with a login; a door without is for itself."""

    def properties(self) -> dict[str, object]:
        doors = f"OURS://{LOOPBACK}:{free_port()}"
        controller = f"CONTROLLER://{LOOPBACK}:{self.controller_port}"
        return super().properties() | {
            "listeners": f"GUARDED://{self.bootstrap},{doors},{controller}",
            "advertised.listeners": f"GUARDED://{self.bootstrap},{doors}",
            "inter.broker.listener.name": "OURS",
            "listener.security.protocol.map": ",".join(
                ["GUARDED:SASL_SSL", "OURS:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
            ),
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.guarded.{MECHANISM.lower()}.sasl.jaas.config": LOGIN_MODULE,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "server.pem",
        }

    def command(self, main: str, *arguments: str) -> list[str]:
        if main.endswith("StorageTool"):
            login = f"{MECHANISM}=[name={NAME},password={PASSWORD}]"
            arguments = (*arguments, "--add-scram", login)
        return super().command(main, *arguments)

    def is_ready(self) -> bool:
        return "Kafka Server started" in self.log.read_text(errors="replace")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of somebody who is let in, by their names in the environment."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = certificate(folder)
    broker = GuardedBroker(
        folder=folder,
        jars=ensure_jars(ROOT / "var" / "kafka-jars"),
        port=free_port(),
        controller_port=free_port(),
        log=folder / "log",
    )
    broker.create()
    program = broker.program()
    child = program.start()
    try:
        await_ready(program, child, within_seconds=90)
        yield {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_USER": NAME,
            "KAFKA_PASSWORD": PASSWORD,
            "KAFKA_CA_FILE": str(authority),
        }
    finally:
        stop(child, signal.SIGTERM, within_seconds=30)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, guarded: dict[str, str]) -> dict[str, str]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/none")
    monkeypatch.setenv("SERVICE_TOKEN", "s" * 16)
    for name, value in guarded.items():
        monkeypatch.setenv(name, value)
    return guarded


def told() -> Broker:
    settings = ServiceSettings()
    return Broker(
        bootstrap_servers=settings.kafka_bootstrap_servers, options=settings.kafka_options()
    )


async def test_who_logs_in_makes_topics_publishes_and_reads(environment: dict[str, str]) -> None:
    broker = told()
    await ensure_topics(broker, [Topic(name="told", partitions=1)])
    producer = broker.producer()
    await producer.start()
    try:
        await producer.send_and_wait("told", b"it", key=b"k")
    finally:
        await producer.stop()
    consumer = broker.consumer(group="readers")
    consumer.subscribe(["told"])
    await consumer.start()
    try:
        record = await consumer.getone()
    finally:
        await consumer.stop()
    assert record.value == b"it"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("KAFKA_PASSWORD", "guessed"),
        ("KAFKA_USER", "gateway"),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SECURITY_PROTOCOL", "SSL"),
    ],
)
async def test_who_has_one_thing_wrong_stays_outside(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    await reach(told())
    monkeypatch.setenv(name, wrong)
    with pytest.raises(KafkaError):
        await reach(told())


async def test_a_broker_that_nobody_vouches_for_is_not_trusted(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKA_CA_FILE")
    options: dict[str, Any] = dict(told().options)
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(KafkaError):
        await reach(told())


@pytest.mark.parametrize("missing", ["KAFKA_USER", "KAFKA_PASSWORD"])
def test_a_login_without_name_or_password_is_refused_at_start(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(ValidationError, match="SASL needs kafka_user and kafka_password"):
        told()
