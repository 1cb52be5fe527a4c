"""Statements about payments and what each sharer gave to them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

import asyncpg

from contracts.public import Bill
from contracts.vocabulary import PaymentState, Premium, Purpose
from kit.transaction import Transaction
from wallet.domain.payment import Allocation, Payment, Refund


async def payments_by_id(tx: Transaction, payment_ids: Sequence[UUID]) -> dict[UUID, Payment]:
    rows = await tx.fetch(
        """
        SELECT payment.*, given.quota_ids, given.kinds, given.sharers, given.amounts
        FROM payment
        CROSS JOIN LATERAL (
            SELECT
                array_agg(quota_id ORDER BY ordinal) AS quota_ids,
                array_agg(kind ORDER BY ordinal) AS kinds,
                array_agg(sharer_admdvs ORDER BY ordinal) AS sharers,
                array_agg(allocation.amount ORDER BY ordinal) AS amounts
            FROM allocation
            WHERE allocation.payment_id = payment.payment_id
        ) AS given
        WHERE payment.payment_id = ANY($1::uuid[])
        """,
        payment_ids,
    )
    return {row["payment_id"]: _payment_from(row) for row in rows}


def _payment_from(row: asyncpg.Record) -> Payment:
    given = zip(row["quota_ids"], row["kinds"], row["sharers"], row["amounts"], strict=True)
    return Payment(
        payment_id=row["payment_id"],
        person_id=row["person_id"],
        institution=row["institution"],
        mdtrtarea_admvs=row["mdtrtarea_admvs"],
        insuplc_admdvs=row["insuplc_admdvs"],
        purpose=_purpose_from(row["purpose"]),
        admission_id=row["admission_id"],
        state=PaymentState(row["state"]),
        requested=row["requested"],
        amount=row["amount"],
        captured=row["captured"],
        refunded=row["refunded"],
        bill=None if row["med_type"] is None else _bill_from(row),
        allocations=tuple(
            Allocation(quota_id=quota_id, kind=kind, sharer_admdvs=sharer, amount=amount)
            for quota_id, kind, sharer, amount in given
        ),
        business_date=row["business_date"],
        period=row["period"],
        held_at=row["held_at"],
        captured_at=row["captured_at"],
        expires_at=row["expires_at"],
        version=row["version"],
    )


def _purpose_from(text: str) -> Purpose | Premium:
    return Premium(text) if text.startswith("premium_") else Purpose(text)


def _bill_from(row: asyncpg.Record) -> Bill:
    return Bill(
        medfee_sumamt_fen=row["medfee_sumamt"],
        fulamt_ownpay_fen=row["fulamt_ownpay"],
        overlmt_selfpay_fen=row["overlmt_selfpay"],
        preselfpay_fen=row["preselfpay"],
        inscp_scp_fen=row["inscp_scp"],
        fund_pay_sumamt_fen=row["fund_pay_sumamt"],
        hosp_part_fen=row["hosp_part"],
        psn_part_fen=row["psn_part"],
        own_acct_pay_fen=row["own_acct_pay"],
        med_type=row["med_type"],
        mdtrt_id=row["mdtrt_id"],
        setl_id=row["setl_id"],
        medins_setl_id=row["medins_setl_id"],
        rx_no=row["rx_no"],
    )


async def update_payments(tx: Transaction, changed: Sequence[Payment]) -> None:
    """Write what became of payments; each must still have the version it was read at."""
    if not changed:
        return
    bills = [payment.bill for payment in changed]
    await tx.write(
        """
        UPDATE payment SET
            state = became.state,
            captured = became.captured,
            refunded = became.refunded,
            period = became.period,
            captured_at = became.captured_at,
            expires_at = became.expires_at,
            medfee_sumamt = became.medfee_sumamt,
            fulamt_ownpay = became.fulamt_ownpay,
            overlmt_selfpay = became.overlmt_selfpay,
            preselfpay = became.preselfpay,
            inscp_scp = became.inscp_scp,
            fund_pay_sumamt = became.fund_pay_sumamt,
            hosp_part = became.hosp_part,
            psn_part = became.psn_part,
            own_acct_pay = became.own_acct_pay,
            med_type = became.med_type,
            mdtrt_id = became.mdtrt_id,
            setl_id = became.setl_id,
            medins_setl_id = became.medins_setl_id,
            rx_no = became.rx_no,
            version = payment.version + 1
        FROM unnest(
            $1::uuid[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[],
            $6::text[], $7::timestamptz[], $8::timestamptz[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
            $18::text[], $19::text[], $20::text[], $21::text[], $22::text[]
        ) AS became (
            payment_id, version, state, captured, refunded,
            period, captured_at, expires_at,
            medfee_sumamt, fulamt_ownpay, overlmt_selfpay, preselfpay, inscp_scp,
            fund_pay_sumamt, hosp_part, psn_part, own_acct_pay,
            med_type, mdtrt_id, setl_id, medins_setl_id, rx_no
        )
        WHERE payment.payment_id = became.payment_id AND payment.version = became.version
        """,
        [payment.payment_id for payment in changed],
        [payment.version for payment in changed],
        [payment.state for payment in changed],
        [payment.captured for payment in changed],
        [payment.refunded for payment in changed],
        [payment.period for payment in changed],
        [payment.captured_at for payment in changed],
        [payment.expires_at for payment in changed],
        *_amounts_of(bills),
        rows=len(changed),
    )


_amounts = attrgetter(
    *("medfee_sumamt_fen", "fulamt_ownpay_fen", "overlmt_selfpay_fen", "preselfpay_fen"),
    *("inscp_scp_fen", "fund_pay_sumamt_fen", "hosp_part_fen", "psn_part_fen"),
    *("own_acct_pay_fen", "med_type", "mdtrt_id", "setl_id", "medins_setl_id", "rx_no"),
)
_NO_AMOUNTS = (None,) * 14


def _amounts_of(bills: Sequence[Bill | None]) -> list[list[object]]:
    """The columns of bills, from medfee_sumamt to rx_no; their items are nowhere kept."""
    rows = [_NO_AMOUNTS if bill is None else _amounts(bill) for bill in bills]
    return [list(column) for column in zip(*rows, strict=True)]


_COLUMNS = (
    *("payment_id", "person_id", "institution", "mdtrtarea_admvs", "insuplc_admdvs"),
    *("purpose", "admission_id", "state", "requested", "amount", "captured"),
    *("medfee_sumamt", "fulamt_ownpay", "overlmt_selfpay", "preselfpay", "inscp_scp"),
    *("fund_pay_sumamt", "hosp_part", "psn_part", "own_acct_pay", "med_type"),
    *("mdtrt_id", "setl_id", "medins_setl_id", "rx_no"),
    *("business_date", "period", "held_at", "captured_at", "expires_at"),
)
_row_of = attrgetter(
    *("payment_id", "person_id", "institution", "mdtrtarea_admvs", "insuplc_admdvs"),
    *("purpose", "admission_id", "state", "requested", "amount", "captured"),
    *("bill.medfee_sumamt_fen", "bill.fulamt_ownpay_fen", "bill.overlmt_selfpay_fen"),
    *("bill.preselfpay_fen", "bill.inscp_scp_fen", "bill.fund_pay_sumamt_fen"),
    *("bill.hosp_part_fen", "bill.psn_part_fen", "bill.own_acct_pay_fen", "bill.med_type"),
    *("bill.mdtrt_id", "bill.setl_id", "bill.medins_setl_id", "bill.rx_no"),
    *("business_date", "period", "held_at", "captured_at", "expires_at"),
)


_WITHOUT_BILL = (
    *("payment_id", "person_id", "insuplc_admdvs", "purpose", "state", "requested", "amount"),
    *("business_date", "period", "held_at"),
)
_row_without_bill = attrgetter(*_WITHOUT_BILL)


async def insert_payments(tx: Transaction, payments: Sequence[Payment]) -> None:
    if not payments:
        return
    billed = [payment for payment in payments if payment.bill is not None]
    if billed:
        await tx.insert("payment", _COLUMNS, [_row_of(payment) for payment in billed])
    if len(billed) < len(payments):
        without = [payment for payment in payments if payment.bill is None]
        await tx.insert(
            "payment", _WITHOUT_BILL, [_row_without_bill(payment) for payment in without]
        )
    await tx.insert(
        "allocation",
        ("payment_id", "ordinal", "quota_id", "kind", "sharer_admdvs", "amount"),
        [
            (
                payment.payment_id,
                ordinal,
                allocation.quota_id,
                allocation.kind,
                allocation.sharer_admdvs,
                allocation.amount,
            )
            for payment in payments
            for ordinal, allocation in enumerate(payment.allocations, start=1)
        ],
    )


async def insert_refunds(tx: Transaction, refunds: Sequence[Refund]) -> None:
    if not refunds:
        return
    await tx.insert(
        "refund",
        (
            *("refund_id", "payment_id", "kind", "amount", "reason", "bill_before", "retakes"),
            *("business_date", "period", "at"),
        ),
        [
            (
                refund.refund_id,
                refund.payment_id,
                refund.kind,
                refund.amount,
                refund.reason,
                refund.bill_before and refund.bill_before.model_dump_json(exclude={"items"}),
                refund.retakes,
                refund.business_date,
                refund.period,
                refund.at,
            )
            for refund in refunds
        ],
    )
