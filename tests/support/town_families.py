"""Families that tests begin with: somebody who gives, somebody who may spend."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.town import Town
from tests.support.town_people import Citizen

SHENZHEN, ALAR = "440300", "659002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`token` proves the beneficiary's presence at the pharmacy."""

    sharer: Citizen
    beneficiary: Citizen
    relation_id: str
    quota_id: str
    token: str

    async def books(self) -> dict[str, int]:
        quota = await self.sharer.quota(self.quota_id)
        return {
            book: int(quota[f"{book}_fen"]) for book in ("available", "held", "spent", "granted")
        }


async def pair_of(town: Town, *, balance_fen: int = 1_000_000) -> tuple[Citizen, Citizen]:
    """Two with open wallets who are nothing to one another yet."""
    sharer = await town.world.citizen(SHENZHEN, employee=True, balance_fen=balance_fen)
    return sharer, await town.world.citizen(ALAR, employee=False)


async def family_of(town: Town, *, available_fen: int = 100_000) -> Family:
    """A family with this much to spend."""
    sharer, beneficiary = await pair_of(town, balance_fen=10 * available_fen)
    relation_id = await sharer.share_with(beneficiary)
    quota_id = await sharer.raise_quota(relation_id, available_fen)
    return Family(
        sharer=sharer,
        beneficiary=beneficiary,
        relation_id=relation_id,
        quota_id=quota_id,
        token=await town.counter().token(beneficiary),
    )
