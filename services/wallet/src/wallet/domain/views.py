"""How payments, quotas and wallets look to callers: the exact bodies of contract and OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from contracts import public
from contracts.vocabulary import Role
from kit.answers import Answer, answer
from wallet.domain.books import Quota, Wallet
from wallet.domain.payment import Allocation, Payment, Refund


def payment_answer(status: int, payment: Payment) -> Answer:
    return answer(status, payment_view(payment))


def payment_view(payment: Payment) -> dict[str, object]:
    """The Payment of the public contract; amounts in fen."""
    return {
        "payment_id": payment.payment_id,
        "state": payment.state,
        "requested_fen": payment.requested,
        "amount_fen": payment.amount,
        "captured_fen": payment.captured,
        "refunded_fen": payment.refunded,
        "allocations": allocations_view(payment.given),
        "person_id": payment.person_id,
        "institution": payment.institution or "",
        "mdtrtarea_admvs": payment.owed_at,
        "insuplc_admdvs": payment.insuplc_admdvs,
        "purpose": payment.purpose,
        "admission_id": payment.admission_id,
        "business_date": payment.business_date,
        "period": payment.period,
        "held_at": payment.held_at,
        "captured_at": payment.captured_at,
        "expires_at": payment.expires_at,
        "receipt": payment_receipt(payment),
    }


def refund_view(payment: Payment, refund: Refund, parts: Iterable[Allocation]) -> dict[str, object]:
    """The Refund of the public contract: what was given back, and the payment after it."""
    return {
        "refund_id": refund.refund_id,
        "payment_id": payment.payment_id,
        "person_id": payment.person_id,
        "institution": payment.institution or "",
        "amount_fen": refund.amount,
        "reason": refund.reason,
        "allocations": allocations_view(parts),
        "business_date": refund.business_date,
        "period": refund.period,
        "refunded_at": refund.at,
        "state": payment.state,
        "captured_fen": payment.captured,
        "refunded_fen": payment.refunded,
        "receipt": payment_receipt(payment),
    }


def payment_receipt(payment: Payment) -> dict[str, int]:
    """The slip. The aid is inside acct_pay, never added to it (R20). A premium has no bill."""
    aid = payment.aid
    if payment.bill is None:
        return {
            "medfee_sumamt_fen": 0,
            "fund_pay_sumamt_fen": 0,
            "acct_pay_fen": aid,
            "acct_mulaid_pay_fen": aid,
            "psn_cash_pay_fen": 0,
        }
    acct_pay = payment.bill.own_acct_pay_fen + aid
    return {
        "medfee_sumamt_fen": payment.bill.medfee_sumamt_fen,
        "fund_pay_sumamt_fen": payment.bill.fund_pay_sumamt_fen,
        "acct_pay_fen": acct_pay,
        "acct_mulaid_pay_fen": aid,
        "psn_cash_pay_fen": payment.bill.psn_part_fen - acct_pay,
    }


def allocations_view(allocations: Iterable[Allocation]) -> list[dict[str, object]]:
    """What each sharer gives, in the order of deduction."""
    return [
        {
            "quota_id": allocation.quota_id,
            "kind": allocation.kind,
            "sharer_admdvs": allocation.sharer_admdvs,
            "amount_fen": allocation.amount,
        }
        for allocation in allocations
    ]


def balances_view(quota: Quota) -> dict[str, object]:
    """A quota's books: granted is the sum of the five others."""
    return {
        "quota_id": quota.quota_id,
        "granted_fen": quota.granted,
        "available_fen": quota.available,
        "held_fen": quota.held,
        "spent_fen": quota.spent,
        "restoring_fen": quota.restoring,
        "returned_fen": quota.returned,
    }


def quota_view(quota: Quota) -> dict[str, object]:
    return {
        "quota_id": quota.quota_id,
        "state": quota.state,
        "available_fen": quota.available,
        "held_fen": quota.held,
        "spent_fen": quota.spent,
        "granted_fen": quota.granted,
    }


def quota_of_person(quota: Quota, person_id: UUID) -> public.QuotaOfPerson:
    """A quota as its sharer or its beneficiary sees it."""
    return public.QuotaOfPerson(
        quota_id=quota.quota_id,
        relation_id=quota.relation_id,
        role=Role.SHARER if quota.sharer_id == person_id else Role.BENEFICIARY,
        state=quota.state,
        available_fen=quota.available,
        held_fen=quota.held,
        spent_fen=quota.spent,
        granted_fen=quota.granted,
        refusal=quota.refusal,
    )


def wallet_view(
    person_id: UUID, wallet: Wallet | None, quotas: Iterable[Quota]
) -> dict[str, object]:
    """given_fen and received_fen: what was granted and has not been returned, by role.

    available_fen is what may be spent now: not what lies in a quota that is suspended (R5).
    """
    quotas = list(quotas)
    received = [quota for quota in quotas if quota.beneficiary_id == person_id]
    given = [quota for quota in quotas if quota.sharer_id == person_id]
    return {
        "person_id": person_id,
        "open": wallet is not None and wallet.opened_at is not None,
        "given_fen": sum(quota.granted - quota.returned for quota in given),
        "received_fen": sum(quota.granted - quota.returned for quota in received),
        "available_fen": sum(quota.available for quota in received if quota.usable),
    }
