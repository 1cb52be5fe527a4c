"""Record a quota: both of its persons see what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.vocabulary import QuotaState
from gateway.domain.decisions import TAKEN, Decision
from gateway.domain.happenings import Happening, RecordQuota, happenings_of_quota
from gateway.store.happenings import (
    end_quotas,
    insert_happenings,
    insert_quotas,
    quotas_by_id,
)
from kit.transaction import Transaction


async def record_quota(
    tx: Transaction, commands: Sequence[RecordQuota], _now: datetime
) -> list[Decision]:
    quotas = await quotas_by_id(tx, sorted({each.quota_id for each in commands}))

    seen: list[Happening] = []
    for each in commands:
        if each.opened is not None:
            quotas[each.quota_id] = each.opened
        quota = quotas[each.quota_id]  # It was told of when it was opened, in the same order.
        seen += happenings_of_quota(each, quota)
        if each.state is QuotaState.ENDED:
            quotas[each.quota_id] = replace(quota, ended=True)

    await insert_quotas(tx, [each.opened for each in commands if each.opened is not None])
    await end_quotas(tx, [each.quota_id for each in commands if each.state is QuotaState.ENDED])
    await insert_happenings(tx, seen)
    return [TAKEN for _ in commands]
