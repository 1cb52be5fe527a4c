"""The rule of order: the beneficiary says whose quota gives first (R12)."""

from __future__ import annotations

from dataclasses import replace

from contracts.commands import OrderSharers
from contracts.vocabulary import QuotaState
from kit.answers import answer
from kit.refusal import Invalid, NotFound
from wallet.domain.books import Books
from wallet.domain.decisions import Decision, refused
from wallet.domain.waterfall import in_order


def order_sharers(books: Books, command: OrderSharers) -> Decision:
    """Those named come first, as they are named; the others after them, by age. Answers 200."""
    living = [
        quota for quota in books.quotas_of(command.person_id) if quota.state is not QuotaState.ENDED
    ]
    if len(set(command.quota_ids)) < len(command.quota_ids):
        return refused(Invalid("quota_ids: one is named twice"))
    if not {quota.quota_id for quota in living}.issuperset(command.quota_ids):
        return refused(NotFound("one of these quotas was not given to you, or has ended"))
    ranks = {quota_id: rank for rank, quota_id in enumerate(command.quota_ids, start=1)}
    for quota in living:
        rank = ranks.get(quota.quota_id)
        if quota.rank != rank:
            books.put(replace(quota, rank=rank))
    ordered = in_order(books.quotas[quota.quota_id] for quota in living)
    return Decision(answer=answer(200, {"quota_ids": [quota.quota_id for quota in ordered]}))
