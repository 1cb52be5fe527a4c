"""Settings that every service reads from its environment, once, in its main."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What any service needs to run; a service adds its own by subclassing.

    KAFKA_CA_FILE is a PEM of those who may vouch for the brokers; without it, those whom the
    system trusts.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: str
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str | None = None
    kafka_password: str | None = Field(default=None, repr=False)
    kafka_ca_file: Path | None = None
    topic_prefix: str = ""
    cells: int = Field(default=1, ge=1, le=4096)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    service_token: str = Field(min_length=16, repr=False)
    log_level: str = "INFO"
    policy_dir: Path | None = None
    pool_size: int = Field(default=4, ge=1, le=100)
    batch_most: int = Field(default=200, ge=1, le=1000)
    queue_most: int = Field(default=4096, ge=1)

    @model_validator(mode="after")
    def _logs_in_by_name_and_password(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_user and self.kafka_password
        ):
            raise ValueError("SASL needs kafka_user and kafka_password")
        return self

    def kafka_options(self) -> dict[str, Any]:
        """How each of Kafka's clients encrypts and logs in. Raises OSError for a missing CA."""
        options: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.kafka_ca_file)
        if self.kafka_security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.kafka_sasl_mechanism,
                "sasl_plain_username": self.kafka_user,
                "sasl_plain_password": self.kafka_password,
            }
        return options
