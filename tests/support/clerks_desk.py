"""A gateway and a token issuer that tell clerks of the month that was worked out by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.support.month_by_hand import GUANGDONG, MONTH, SEEN, STATEMENTS, XPCC


def prefund_told(used_fen: int) -> dict[str, Any]:
    return {
        "debtor": GUANGDONG,
        "creditor": XPCC,
        "amount_fen": 120,
        "used_fen": used_fen,
        "ratio_percent": 75,
        "level": "yellow",
    }


class Desk(BaseHTTPRequestHandler):
    """A gateway and a token issuer in one: they tell of the month that was worked out by hand."""

    asked: ClassVar[list[str]] = []
    busy: ClassVar[set[str]] = set()
    once_closed: ClassVar[str] = ""
    """What it adds to its answers once it was asked to close."""

    def do_GET(self) -> None:
        self.answer(self.headers["authorization"] == "Bearer a clerk's")

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokens":
            assert told == {"clerk": "林清算", "roles": ["clearing"]}
            self.send(200, json.dumps({"token": "a clerk's"}))
            return
        assert told == {}
        self.answer("idempotency-key" in self.headers)

    def answer(self, allowed: bool) -> None:
        assert allowed
        Desk.asked.append(f"{self.command} {self.path}")
        path, _, query = self.path.partition("?")
        if self.path in Desk.busy:
            Desk.busy.remove(self.path)
            self.send(503, "{}")
            return
        closed = any(each.endswith("/close") for each in Desk.asked)
        after = Desk.once_closed if closed else ""
        if path == "/v1/prefunds":
            second = "cursor" in query
            page = {
                "items": [prefund_told(91 if second else 90)],
                "next_cursor": None if second else f"{GUANGDONG}-{XPCC}",
            }
            self.send(200, json.dumps(page))
        elif path.endswith("/statements"):
            chosen = dict(each.split("=") for each in query.split("&"))
            whose = chosen.get("admdvs", chosen.get("institution", ""))
            [found] = [
                each for each in STATEMENTS if (each.tier, each.whose) == (chosen["tier"], whose)
            ]
            self.send(200, found.body + after)
        elif path.startswith(f"/v1/periods/{MONTH}"):
            self.send(200, SEEN.body + after)
        elif path == "/v1/periods/2026-12":
            self.send(200, '{"state": "open"}')
        else:
            self.send(404, '{"code": "not-found"}')

    def send(self, status: int, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def desk() -> Iterator[Mapping[str, Any]]:
    """What a stack's file says of it."""
    Desk.asked.clear()
    Desk.busy.clear()
    Desk.once_closed = ""
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield {"gateway": url, "sandbox": url, "clerks": {"clearing": "林清算"}}
        finally:
            server.shutdown()
            thread.join()
