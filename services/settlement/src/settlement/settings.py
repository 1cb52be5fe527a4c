"""What settlement reads from its environment."""

from __future__ import annotations

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settlement's settings. `wallet_url` is where a clerk's command line has a month cut."""

    wallet_url: str = "http://127.0.0.1:8082"
