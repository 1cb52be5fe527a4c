"""The rule of an extension: a hold lives longer, but never beyond what its purpose allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contracts.commands import Extend
from contracts.refusals import RelationNotActive
from contracts.vocabulary import QuotaState
from kit.refusal import Refusal
from wallet.domain.books import Books
from wallet.domain.decisions import Decision, refused
from wallet.domain.held import held_by
from wallet.domain.hold import Purposes, longest, too_long
from wallet.domain.views import payment_answer


def extend(books: Books, command: Extend, purposes: Purposes) -> Decision:
    """Move the deadline to `hold_seconds` from now; it is never moved forward.

    Counted from when the hold was placed it lives no longer than its purpose allows, however
    often it is extended. What somebody has stopped sharing is not held longer (R32).
    """
    hold = held_by(books, command.payment_id, command.institution)
    if isinstance(hold, Refusal):
        return refused(hold)
    limits = longest(hold, purposes, books.moment.day)
    if command.hold_seconds > limits.hold_seconds_max:
        return refused(too_long(limits))
    quotas = [books.quotas[allocation.quota_id] for allocation in hold.allocations]
    if any(quota.state is QuotaState.ENDED for quota in quotas):
        return refused(RelationNotActive("a relation whose quota it holds has ended"))

    wanted = books.moment.now + timedelta(seconds=command.hold_seconds)
    latest = hold.held_at + timedelta(seconds=limits.hold_seconds_max)
    assert hold.expires_at is not None
    extended = replace(hold, expires_at=max(hold.expires_at, min(wanted, latest)))
    if extended != hold:
        books.put_payment(extended)
    return Decision(answer=payment_answer(200, extended))
