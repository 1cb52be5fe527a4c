"""A wallet that only tells: payments and what undoes them, and the cut of its months.

It keeps the lines by itself, in code of its own, so that what settlement makes of its facts can be
held against them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from contracts import events, topics
from contracts.events import Balances, CutTotal, PeriodCut
from contracts.events.wallet import PaymentTold
from contracts.public import Allocation, Receipt
from contracts.vocabulary import PaidFor
from kit.ids import cell_of_owner, new_id
from kit.records import Raw, cloud_event_headers

ALAR, HAIKOU, GUANGZHOU, SHENZHEN = "659002", "460100", "440100", "440300"
BEIJING, CHENGDU, URUMQI = "110000", "510100", "650100"
HOSPITAL, PHARMACY = "H65900200001", "P65900200001"
AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
BELOW = 1 << 64
OFFSETS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A line as the wallet knows it."""

    cause_id: UUID
    quota_id: UUID
    cell: int
    period: str
    captured_period: str
    debtor: str
    creditor: str
    kind: str
    institution: str
    amount: int

    @property
    def name(self) -> str:
        return f"{self.cause_id}/{self.quota_id}"

    @property
    def hash(self) -> int:
        text = f"{self.cause_id}|{self.quota_id}|{self.amount}".encode()
        return int(hashlib.sha256(text).hexdigest()[:16], 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A captured payment: who gave what, in fen."""

    told: events.PaymentCaptured
    cell: int

    @property
    def payment_id(self) -> UUID:
        return self.told.payment_id


@dataclass(slots=True, kw_only=True)
class TellerWallet:
    """`records` is all that was told, in order; `lines` what it amounts to."""

    cells: int = 1
    records: list[Raw] = field(default_factory=list)
    lines: list[Kept] = field(default_factory=list)
    _sequences: dict[tuple[int, str, str], int] = field(default_factory=lambda: defaultdict(int))

    def capture(
        self,
        *gave: tuple[str, int],
        at: str = ALAR,
        kind: PaidFor = PaidFor.PHARMACY,
        institution: str = PHARMACY,
        period: str = "2026-11",
        person_id: UUID | None = None,
        happened_at: datetime | None = None,
    ) -> Paid:
        """A payment of one beneficiary, to which pools gave fen, each from a quota of its own."""
        person_id = person_id or uuid4()
        cell = cell_of_owner(person_id, self.cells)
        premium = kind in (PaidFor.PREMIUM_390, PaidFor.PREMIUM_410)
        parts = tuple(
            Allocation(quota_id=new_id(cell), kind="parent", sharer_admdvs=pool, amount_fen=fen)
            for pool, fen in gave
        )
        told = events.PaymentCaptured(
            payment_id=new_id(cell),
            person_id=person_id,
            institution="" if premium else institution,
            mdtrtarea_admvs=at,
            insuplc_admdvs=at,
            purpose=kind,
            business_date=date.fromisoformat(f"{period}-20"),
            period=period,
            captured_at=happened_at or datetime.fromisoformat(f"{period}-20T02:00:00+00:00"),
            amount_fen=sum(part.amount_fen for part in parts),
            allocations=parts,
            receipt=receipt(sum(part.amount_fen for part in parts)),
            balances=balances(parts),
        )
        paid = Paid(told=told, cell=cell)
        self._keep(paid, told.payment_id, told, 1)
        self.tell(cell, told)
        return paid

    def refund(self, paid: Paid, *amounts: int, period: str = "2026-11") -> events.PaymentRefunded:
        """Give these fen of each of its sharers back; 0 leaves one out."""
        told = events.PaymentRefunded(
            **self._of(paid, amounts),
            refund_id=new_id(paid.cell),
            period=period,
            refunded_at=AT,
        )
        self._keep(paid, told.refund_id, told, -1)
        self.tell(paid.cell, told)
        return told

    def reverse(
        self, paid: Paid, *amounts: int, period: str = "2026-11", old: bool = False
    ) -> events.PaymentReversed:
        """Undo the capture of these fen. An `old` event does not name the row twice."""
        row_id = new_id(paid.cell)
        told = events.PaymentReversed(
            **self._of(paid, amounts),
            reverses="capture",
            refund_id=row_id,
            row_id=None if old else row_id,
            period=period,
            reversed_at=AT,
        )
        self._keep(paid, row_id, told, -1)
        self.tell(paid.cell, told)
        return told

    def retake(
        self, paid: Paid, refund: events.PaymentRefunded, period: str = "2026-11"
    ) -> events.PaymentReversed:
        """Charge again what a refund gave back."""
        told = events.PaymentReversed(
            **{name: getattr(refund, name) for name in PaymentTold.model_fields},
            receipt=refund.receipt,
            reverses="refund",
            refund_id=refund.refund_id,
            row_id=new_id(paid.cell),
            period=period,
            reversed_at=AT,
        )
        assert told.row_id is not None
        self._keep(paid, told.row_id, told, 1)
        self.tell(paid.cell, told)
        return told

    def _of(self, paid: Paid, amounts: Sequence[int]) -> dict[str, Any]:
        parts = tuple(
            part.model_copy(update={"amount_fen": fen})
            for part, fen in zip(paid.told.allocations, amounts, strict=True)
            if fen
        )
        common = {name: getattr(paid.told, name) for name in PaymentTold.model_fields}
        amount = sum(part.amount_fen for part in parts)
        return {
            **common,
            "amount_fen": amount,
            "allocations": parts,
            "receipt": receipt(amount),
        }

    def _keep(
        self,
        paid: Paid,
        cause_id: UUID,
        told: events.PaymentCaptured | events.PaymentRefunded | events.PaymentReversed,
        sign: int,
    ) -> None:
        for part in told.allocations:
            line = Kept(
                cause_id=cause_id,
                quota_id=part.quota_id,
                cell=paid.cell,
                period=told.period,
                captured_period=paid.told.period,
                debtor=part.sharer_admdvs,
                creditor=told.mdtrtarea_admvs,
                kind=told.purpose,
                institution=told.institution,
                amount=sign * part.amount_fen,
            )
            self.lines.append(line)

    def tell(self, cell: int, body: PaymentTold) -> Raw:
        """The fact as a record, with the next sequence of its key."""
        record = self.record(cell, topics.PAYMENT.name, str(body.person_id), body)
        self.records.append(record)
        return record

    def record(self, cell: int, topic: str, key: str, body: events.Told) -> Raw:
        self._sequences[cell, topic, key] += 1
        return record_of(
            topic,
            key,
            body,
            source=f"/wallet/cell-{cell}",
            sequence=self._sequences[cell, topic, key],
        )

    def take(self) -> list[Raw]:
        """What was told since the last time."""
        taken, self.records = self.records, []
        return taken

    def of_month(self, period: str) -> list[Kept]:
        return [line for line in self.lines if line.period == period]

    def cut(self, period: str, lines: Iterable[Kept] | None = None) -> list[Raw]:
        """Each cell's totals of a month: of all its lines, or of these."""
        kept = list(self.of_month(period) if lines is None else lines)
        return [self.cut_of_cell(period, cell, kept) for cell in range(self.cells)]

    def cut_of_cell(self, period: str, cell: int, lines: Iterable[Kept]) -> Raw:
        body = PeriodCut(
            period=period,
            cell=cell,
            cells=self.cells,
            cut_at=AT,
            lines=totals(line for line in lines if line.cell == cell),
        )
        return self.record(cell, topics.PERIOD.name, period, body)


def totals(lines: Iterable[Kept]) -> tuple[CutTotal, ...]:
    """Lines added up as the wallet tells them."""
    by_group: dict[tuple[str, str, str], list[Kept]] = defaultdict(list)
    for line in lines:
        by_group[line.debtor, line.creditor, line.kind].append(line)
    return tuple(
        CutTotal(
            debtor=debtor,
            creditor=creditor,
            kind=PaidFor(kind),
            count=len(of_group),
            sum_fen=sum(line.amount for line in of_group),
            hash=f"{sum(line.hash for line in of_group) % BELOW:016x}",
        )
        for (debtor, creditor, kind), of_group in sorted(by_group.items())
    )


def record_of(
    topic: str,
    key: str,
    body: events.Told,
    *,
    source: str,
    sequence: int | None = None,
    event_id: UUID | None = None,
) -> Raw:
    """A record as it comes from Kafka; its place is its own."""
    headers = cloud_event_headers(
        id=str(event_id or uuid4()),
        type=body.TYPE,
        source=source,
        subject=key,
        time=datetime.now(UTC),
        sequence=sequence,
        traceparent=None,
    )
    return Raw(
        topic=topic,
        partition=0,
        offset=next(OFFSETS),
        key_bytes=key.encode(),
        headers=tuple(headers),
        value=body.model_dump_json(by_alias=True).encode(),
    )


def receipt(fen: int) -> Receipt:
    return Receipt(
        medfee_sumamt_fen=fen,
        fund_pay_sumamt_fen=0,
        acct_pay_fen=fen,
        acct_mulaid_pay_fen=fen,
        psn_cash_pay_fen=0,
    )


def balances(parts: Sequence[Allocation]) -> tuple[Balances, ...]:
    return tuple(
        Balances(
            quota_id=part.quota_id,
            granted_fen=part.amount_fen,
            available_fen=0,
            held_fen=0,
            spent_fen=part.amount_fen,
            restoring_fen=0,
            returned_fen=0,
        )
        for part in parts
    )
