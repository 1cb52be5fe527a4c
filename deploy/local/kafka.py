"""Apache Kafka, one KRaft node on the loopback, as a foreground Java process."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local.jars import java
from deploy.local.ports import LOOPBACK, is_listening
from deploy.local.program import Program

LARGEST_RECORD = 4 * 1024 * 1024

# A laptop's JVM: small, and compiled only as far as pays off within minutes.
JVM = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
LOGGING = [
    f"-Dorg.slf4j.simpleLogger.{key}={value}"
    for key, value in {
        "defaultLogLevel": "warn",
        "log.kafka.server.KafkaRaftServer": "info",
        "showDateTime": "true",
        "dateTimeFormat": "yyyy-MM-dd HH:mm:ss.SSS",
        "showShortLogName": "true",
    }.items()
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """`folder` holds its settings and its data; a second start finds both."""

    folder: Path
    jars: Path
    port: int
    controller_port: int
    log: Path

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def settings(self) -> Path:
        return self.folder / "server.properties"

    def create(self) -> None:
        """Write the settings (ports may have moved) and format the storage once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={value}" for key, value in self.properties().items()]
        self.settings.write_text("\n".join(lines) + "\n")
        if (self.data / "meta.properties").exists():
            return
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", f"--cluster-id={cluster_id}", "-c", str(self.settings)]
        command = self.command("kafka.tools.StorageTool", *arguments)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"Kafka could not format {self.data}:\n{made.stdout}{made.stderr}")

    def properties(self) -> dict[str, object]:
        controller = f"{LOOPBACK}:{self.controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            # A static quorum takes its port from here and not from the log, so it can move.
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            # What was told is kept: the proofs compare every outbox with its topic.
            "log.retention.ms": -1,
            "num.partitions": 8,
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.num.partitions": 8,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "message.max.bytes": LARGEST_RECORD,
            "replica.fetch.max.bytes": LARGEST_RECORD,
            # After kill -9 the node is let in again once its former session has run out.
            "broker.session.timeout.ms": 5000,
            "broker.heartbeat.interval.ms": 500,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        }

    def command(self, main: str, *arguments: str) -> list[str]:
        return [java(), *JVM, *LOGGING, "-cp", f"{self.jars}/*", main, *arguments]

    def program(self, name: str = "kafka") -> Program:
        return Program(
            name=name,
            command=self.command("kafka.Kafka", str(self.settings)),
            log=self.log,
            ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        return is_listening(self.port) and answers(self.bootstrap)


def answers(bootstrap: str) -> bool:
    """Whether a broker is there and let into its cluster."""

    async def ask() -> bool:
        client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        except (KafkaError, OSError):
            return False
        finally:
            await client.close()

    return asyncio.run(ask())
