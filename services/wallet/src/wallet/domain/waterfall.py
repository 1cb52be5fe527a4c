"""Over several sharers: each gives what it has, in order, until the amount is reached (R12)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from wallet.domain.books import Quota
from wallet.domain.payment import Allocation


def in_order(quotas: Iterable[Quota]) -> list[Quota]:
    """The order of deduction: the beneficiary's own, then the oldest relation first."""
    return sorted(quotas, key=_place)


def _place(quota: Quota) -> tuple[bool, int, datetime, UUID]:
    return quota.rank is None, quota.rank or 0, quota.related_at, quota.quota_id


def allocate(quotas: Iterable[Quota], amount: int) -> tuple[Allocation, ...]:
    """Take `amount` fen from quotas in their order; less where they have less in all."""
    allocations = []
    missing = amount
    for quota in quotas:
        given = min(quota.available, missing)
        if given > 0:
            missing -= given
            allocations.append(
                Allocation(
                    quota_id=quota.quota_id,
                    kind=quota.kind,
                    sharer_admdvs=quota.sharer_admdvs,
                    amount=given,
                )
            )
    return tuple(allocations)
