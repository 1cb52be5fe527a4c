"""Who shares with whom: the story's own books, to hold the platform's and the provinces' against.

granted = available + held + spent, of each quota
balance = what there was − spent, frozen = available + held, of each account
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.story.cast import PLACES, Person
from sandbox.story.opening import bind, set_quota, succeeded
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Account, Town, expect, until

KINDS = {
    "spouse": "配偶",
    "parent": "父母",
    "child": "子女",
    "sibling": "兄弟姐妹",
    "paternal_grandparent": "祖父母",
    "sons_child": "孙子女",
    "paired_household": "结亲户",
}

Line = tuple[str, str, str]
"""Debtor province, creditor province, kind: a line of the national statement."""


@dataclass(slots=True, kw_only=True)
class Share:
    """One relation and its quota; `available` and `spent` are what the story expects, in fen."""

    sharer: Person
    beneficiary: Person
    kind: str
    relation_id: str
    quota_id: str
    available: int
    spent: int = 0
    over: bool = False


@dataclass(slots=True, kw_only=True)
class Shares:
    """All relations of the story, and what each province owes for them."""

    town: Town
    tell: Teller
    made: list[Share] = field(default_factory=list)
    owed: Counter[Line] = field(default_factory=Counter)
    lines: Counter[Line] = field(default_factory=Counter)

    async def make(
        self, sharer: Person, beneficiary: Person, kind: str, available_fen: int
    ) -> Share:
        """Bind two people and freeze a quota; under age the sharer consents as the guardian."""
        relation_id = await bind(
            sharer.citizen, beneficiary.citizen, kind, of_age=beneficiary.part.is_of_age
        )
        quota = await set_quota(sharer.citizen, relation_id, available_fen)
        expect(quota["state"] == "active", f"{sharer.who}'s quota is granted: {quota}")
        expect(quota["available_fen"] == available_fen, f"all of it is available: {quota}")
        return self.keep(sharer, beneficiary, kind, quota)

    def keep(self, sharer: Person, beneficiary: Person, kind: str, quota: dict[str, Any]) -> Share:
        """Remember a quota that was granted."""
        share = Share(
            sharer=sharer,
            beneficiary=beneficiary,
            kind=kind,
            relation_id=str(quota["relation_id"]),
            quota_id=str(quota["quota_id"]),
            available=int(quota["available_fen"]),
        )
        self.made.append(share)
        return share

    def of(self, sharer: str, beneficiary: str) -> Share:
        """The share between two parts."""
        [found] = [
            share
            for share in self.made
            if (share.sharer.part.key, share.beneficiary.part.key) == (sharer, beneficiary)
        ]
        return found

    def spend(self, share: Share, amount_fen: int, pool: str, kind: str) -> None:
        """So much of a quota was charged at a place of care, or given back if it is below zero."""
        share.spent += amount_fen
        if not share.over:
            share.available -= amount_fen
        line = (share.sharer.part.place.province, PLACES[pool].province, kind)
        self.owed[line] += amount_fen
        self.lines[line] += 1

    def spend_by(self, allocations: Mapping[str, int], pool: str, kind: str) -> None:
        """A payment: quota → what it gave."""
        for share in self.made:
            if share.quota_id in allocations:
                self.spend(share, allocations[share.quota_id], pool, kind)

    async def agree(self) -> dict[str, Account]:
        """Once every quota and every account is as these books have it: sharer's part → account."""
        sharers = {share.sharer.part.key: share.sharer for share in self.made}
        await asyncio.gather(*map(self._quotas_agree, sharers.values()))
        seen = await asyncio.gather(*(self._account_agrees(each) for each in sharers.values()))
        return dict(zip(sharers, seen, strict=True))

    async def _quotas_agree(self, sharer: Person) -> None:
        wanted = {
            share.quota_id: (share.available, 0, share.spent) for share in self._given_by(sharer)
        }

        async def agree() -> bool | None:
            listed = succeeded(await sharer.citizen.get("/v1/me/quotas"), 200, "reading quotas")
            seen = {
                quota["quota_id"]: (quota["available_fen"], quota["held_fen"], quota["spent_fen"])
                for quota in listed["items"]
                if quota["role"] == "sharer"
            }
            return True if seen == wanted else None

        await until(agree, f"{sharer.who}'s quotas (available, held, spent) are {wanted}")

    def _given_by(self, sharer: Person) -> list[Share]:
        return [share for share in self.made if share.sharer is sharer]

    async def _account_agrees(self, sharer: Person) -> Account:
        given = self._given_by(sharer)
        balance = sharer.part.balance_fen - sum(share.spent for share in given)
        frozen = sum(share.available for share in given)
        wanted = Account(balance_fen=balance, frozen_fen=frozen, spendable_fen=balance - frozen)

        async def agrees() -> Account | None:
            seen = await self.town.account(sharer.citizen)
            return seen if seen == wanted else None

        return await until(agrees, f"{sharer.who}'s province has {wanted}")

    def table(self, shares: Iterable[Share]) -> None:
        """Show who shares with whom."""
        self.tell.table(
            [
                "共济人 sharer",
                "参保地",
                "被共济人 for",
                "参保地",
                "关系 kind",
                "额度 quota",
            ],
            [
                [
                    *(share.sharer.who, share.sharer.part.place.shown),
                    *(share.beneficiary.who, share.beneficiary.part.place.shown),
                    f"{KINDS[share.kind]} {share.kind}",
                    yuan(share.available),
                ]
                for share in shares
            ],
            right=[5],
        )
