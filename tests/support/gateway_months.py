"""Months as wallet and settlement tell of them, played at the HTTP boundary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import respx

from contracts.clearing import Period
from kit.answers import problem
from kit.refusal import Invalid, NotFound, Refusal, WrongState

STATES = ("open", "cut", "balanced", "issued", "confirmed", "paid", "closed")

Told = dict[str, Any]


class Months:
    """October was cut before; settlement knows what `known` says. `asked` is what both heard."""

    def __init__(self, *, wallet: str, settlement: str) -> None:
        self._wallet, self._settlement = wallet, settlement
        self.last_cut, self.current = "2026-10", "2026-11"
        self.known: dict[str, str] = {}
        self.asked: list[tuple[str, Told]] = []
        self.silent: set[str] = set()
        self.refuses: dict[str, Refusal] = {}
        self.gate: Callable[[], Any] | None = None

    def install(self, router: respx.Router) -> None:
        for url, answer in {
            f"{self._wallet}/internal/periods/cut": self._cut,
            f"{self._wallet}/internal/periods/find": self._found_by_wallet,
            f"{self._settlement}/internal/periods/find": self._found_by_settlement,
            f"{self._settlement}/internal/periods/issue": self._issue,
            f"{self._settlement}/internal/periods/close": self._close,
            f"{self._settlement}/internal/statements/find": self._statement,
            f"{self._settlement}/internal/prefunds/find": self._prefunds,
        }.items():
            router.post(url).mock(side_effect=self._answering(url, answer))

    def heard(self, what: str) -> list[Told]:
        """What was asked of `wallet` or `settlement`, as `wallet cut`."""
        return [told for name, told in self.asked if name == what]

    def _answering(self, url: str, answer: Callable[[Told], Told]) -> Any:
        who = "wallet" if url.startswith(self._wallet) else "settlement"
        about, step = url.split("/")[-2:]
        name = f"{who} {step if about == 'periods' else about}"

        async def answering(request: httpx.Request) -> httpx.Response:
            assert request.headers["authorization"].startswith("Bearer ")
            if who in self.silent:
                raise httpx.ConnectError("nobody answers")
            told = json.loads(request.content)
            self.asked.append((name, told))
            if self.gate is not None:
                await self.gate()
            try:
                if name in self.refuses:
                    raise self.refuses[name]
                status, body, again = 200, json.dumps(answer(told), indent=1), None
            except Refusal as refusal:
                refused = problem(refusal, told["instance"])
                status, body, again = refused.status, refused.body, refused.retry_after
            given = {"status": status, "body": body, "replayed": False, "retry_after": again}
            return httpx.Response(200, json=given)

        return answering

    def _cut(self, told: Told) -> Told:
        year, month = map(int, self.last_cut.split("-"))
        following = f"{year + month // 12}-{month % 12 + 1:02}"
        if told["period"] > following:
            raise WrongState(f"{following} is cut first")
        self.last_cut = max(self.last_cut, told["period"])
        return period(told["period"], "cut")

    def _found_by_wallet(self, told: Told) -> Told:
        if told["period"] > self.current:
            raise NotFound
        return period(told["period"], "cut" if told["period"] <= self.last_cut else "open")

    def _found_by_settlement(self, told: Told) -> Told:
        return period(told["period"], self._state(told))

    def _issue(self, told: Told) -> Told:
        return self._step(told, "balanced", "issued")

    def _close(self, told: Told) -> Told:
        return self._step(told, "paid", "closed")

    def _step(self, told: Told, before: str, after: str) -> Told:
        state = self._state(told)
        if STATES.index(state) < STATES.index(before):
            raise WrongState(f"the month is {state}")
        if state == before:
            self.known[told["period"]] = after
        return period(told["period"], self.known[told["period"]])

    def _state(self, told: Told) -> str:
        if told["period"] not in self.known:
            raise NotFound
        return self.known[told["period"]]

    def _statement(self, told: Told) -> Told:
        if STATES.index(self._state(told)) < STATES.index("issued"):
            raise WrongState("the month is not issued yet")
        wanted = {"national": (), "institution": ("institution",)}.get(told["tier"], ("admdvs",))
        if {name for name in ("admdvs", "institution") if told[name]} != set(wanted):
            raise Invalid("what this tier is of")
        sums = {"count": 1, "sum_fen": 2685, "adjustments_count": 0, "adjustments_fen": 0}
        creditor = told["institution"] or "660000"
        line = {"debtor": "440000", "creditor": creditor, "kind": "outpatient", **sums}
        return {
            "period": told["period"],
            "tier": told["tier"],
            "version": 1,
            "digest": "d" * 64,
            "lines": [line],
            "totals": sums,
            "net": [],
            "diagonal": [],
        }

    def _prefunds(self, _: Told) -> Told:
        item = {
            "debtor": "440000",
            "creditor": "660000",
            "amount_fen": 1_000_000,
            "used_fen": 710_000,
            "ratio_percent": 71,
            "level": "yellow",
        }
        return {"items": [item], "next_cursor": "440000-660000", "as_of": "2026-11-21T08:00:00Z"}


def period(month: str, state: str) -> Told:
    """A month as it is told, whatever else would be known of it."""
    assert state in STATES
    told: Told = Period.model_validate({"period": month, "state": state}).model_dump(mode="json")
    return told


class Meeting:
    """Lets nobody on before `expected` have come: who passed it was there with the others."""

    def __init__(self, expected: int) -> None:
        self._barrier = asyncio.Barrier(expected)

    async def wait(self) -> None:
        await self._barrier.wait()
