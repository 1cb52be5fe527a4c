"""What of a bill mutual aid may pay: the identities of its amounts and the personal burden.

medfee = fulamt_ownpay + overlmt_selfpay + preselfpay + inscp_scp           R20
medfee = fund_pay + psn_part + hosp_part                                     R20
aid   ≤ psn_part − ineligible items − own account                           R11
aid   ≤ psn_part − the larger of both, where relatives pay first            R12
"""

from __future__ import annotations

from contracts.public import Bill
from contracts.refusals import BillDoesNotAddUp, PurposeNotAllowed
from contracts.vocabulary import InstitutionKind, ItemCategory, Premium, Purpose
from kit.refusal import Invalid, Refusal

PURPOSES_OF = {
    InstitutionKind.HOSPITAL: frozenset({Purpose.OUTPATIENT, Purpose.INPATIENT}),
    InstitutionKind.PHARMACY: frozenset({Purpose.PHARMACY}),
}
"""R10: the own share of cost at a hospital; drugs, devices and consumables at a pharmacy."""

AT_A_PHARMACY = frozenset({ItemCategory.DRUG, ItemCategory.DEVICE, ItemCategory.CONSUMABLE})


def purpose_refusal(
    bill: Bill, purpose: Purpose | Premium, kind: InstitutionKind
) -> Refusal | None:
    """Why this may not be paid by mutual aid at all (R10), or None."""
    if purpose not in PURPOSES_OF[kind]:
        return PurposeNotAllowed(f"a {kind} does not take payments for {purpose}")
    if purpose is Purpose.PHARMACY:
        if not bill.items:
            return Invalid("bill.items: required for the purpose pharmacy")
        if any(item.category not in AT_A_PHARMACY for item in bill.items):
            return PurposeNotAllowed("at a pharmacy only drugs, devices and consumables")
    return None


def contradiction(bill: Bill) -> Refusal | None:
    """Which identity of the bill's amounts does not hold to the fen (R20), or None."""
    parts = (
        bill.fulamt_ownpay_fen + bill.overlmt_selfpay_fen + bill.preselfpay_fen + bill.inscp_scp_fen
    )
    if bill.medfee_sumamt_fen != parts:
        return BillDoesNotAddUp(
            "medfee_sumamt is not fulamt_ownpay + overlmt_selfpay + preselfpay + inscp_scp"
        )
    if bill.medfee_sumamt_fen != bill.fund_pay_sumamt_fen + bill.psn_part_fen + bill.hosp_part_fen:
        return BillDoesNotAddUp("medfee_sumamt is not fund_pay_sumamt + psn_part + hosp_part")
    if bill.own_acct_pay_fen > bill.psn_part_fen:
        return BillDoesNotAddUp("own_acct_pay is more than psn_part")
    if bill.items is not None:
        total = sum(item.amount_fen for item in bill.items)
        if total != bill.medfee_sumamt_fen:
            return BillDoesNotAddUp("the items do not sum to medfee_sumamt")
    return None


def payable(bill: Bill, *, shared_first: bool = False) -> int:
    """The most that mutual aid may pay of a bill that adds up, in fen (R11).

    The own account pays what is eligible first; shared first, it pays what relatives may not
    (R12).
    """
    ineligible = sum(item.amount_fen for item in bill.items or () if not item.eligible)
    if shared_first:
        return max(0, bill.psn_part_fen - max(ineligible, bill.own_acct_pay_fen))
    return max(0, bill.psn_part_fen - ineligible - bill.own_acct_pay_fen)
