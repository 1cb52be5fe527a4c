"""The rule of a line: each sharer's pool owes the place of care what its quota gave (R15, R18).

A premium owes the fund of the enrolment area, which is told in the place of care's stead. What is
given back is a line below 0, in the month it falls into, that names its original's (R22).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from settlement.domain.commands import RecordLine
from settlement.domain.decisions import TAKEN, Decision
from settlement.domain.line import Line


class LateLine(Exception):
    """The month is balanced: all its cells told that there is no such line. An alarm."""


class UnknownOriginal(Exception):
    """Something was given back of a payment that was never told. An alarm."""


@dataclass(slots=True, kw_only=True)
class Recording:
    """What a batch of lines works on: each command sees the captures before it.

    `captured` is in which month a payment was captured from a quota, by their ids. Raises
    UnknownArea for a pool of no province, which parks the record.
    """

    now: datetime
    balanced: Collection[str]
    province_of: Callable[[str, date], str]
    captured: dict[tuple[str, str], str] = field(default_factory=dict)


def record_line(recording: Recording, command: RecordLine) -> Decision:
    """One line a sharer. Raises LateLine, UnknownOriginal, which park the record."""
    payment = command.payment
    if payment.period in recording.balanced:
        raise LateLine(payment.period, command.cause_id)
    creditor_province = recording.province_of(payment.mdtrtarea_admvs, payment.business_date)
    lines = []
    for part in payment.allocations:
        original = (payment.payment_id, part.quota_id)
        if command.is_capture:
            recording.captured[original] = payment.period
        elif original not in recording.captured:
            raise UnknownOriginal(*original)
        lines.append(
            Line(
                cause_id=command.cause_id,
                quota_id=part.quota_id,
                payment_id=payment.payment_id,
                cell=command.cell,
                period=payment.period,
                captured_period=recording.captured[original],
                debtor=part.sharer_admdvs,
                creditor=payment.mdtrtarea_admvs,
                debtor_province=recording.province_of(part.sharer_admdvs, payment.business_date),
                creditor_province=creditor_province,
                kind=payment.purpose,
                institution=payment.institution,
                amount=command.sign * part.amount_fen,
                happened_at=command.happened_at,
                recorded_at=recording.now,
            )
        )
    return Decision(answer=TAKEN, lines=tuple(lines))
