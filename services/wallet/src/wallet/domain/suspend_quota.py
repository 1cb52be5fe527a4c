"""The rule of a suspension: nothing new may be held or paid until the relation is resumed (R5)."""

from __future__ import annotations

from dataclasses import replace

from contracts.vocabulary import QuotaState
from kit.answers import answer
from wallet.domain.books import Books
from wallet.domain.commands import SuspendQuota
from wallet.domain.decisions import NOTHING_NEW, Decision


def suspend_quota(books: Books, command: SuspendQuota) -> Decision:
    """Suspend or resume; no book changes, and what is held stays held."""
    quota = books.quota_of_relation(command.beneficiary_id, command.relation_id)
    assert quota is not None, "a relation was suspended whose quota was never opened"
    if quota.state is QuotaState.ENDED or quota.suspended is command.suspended:
        return NOTHING_NEW
    books.put(replace(quota, suspended=command.suspended))
    return Decision(answer=answer(200, {}))
