"""At the counter: bills, presence by the beneficiary's own code, payment."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sandbox.citizen import Citizen
from sandbox.institution import Institution, Trace
from sandbox.patience import Reply
from sandbox.story.opening import succeeded
from sandbox.story.town import Town

BURDEN_FEN = 268_599
"""What the bill of rules §4 (E1) leaves to the patient: psn_part."""

BILL: dict[str, Any] = {
    "medfee_sumamt_fen": 579_253,
    "fulamt_ownpay_fen": 29_620,
    "overlmt_selfpay_fen": 0,
    "preselfpay_fen": 52_261,
    "inscp_scp_fen": 497_372,
    "fund_pay_sumamt_fen": 310_654,
    "hosp_part_fen": 0,
    "psn_part_fen": BURDEN_FEN,
    "own_acct_pay_fen": 0,
    "med_type": "41",
    "items": [
        {"category": "drug", "amount_fen": 549_253, "eligible": True},
        {"category": "device", "amount_fen": 30_000, "eligible": True},
    ],
}


MED_TYPES = {"outpatient": "11", "inpatient": "21", "pharmacy": "41"}


def bill_of(purpose: str, total_fen: int, *, fund_fen: int = 0, own_fen: int = 0) -> dict[str, Any]:
    """A bill: the pooled fund pays `fund_fen`, the patient's own account declares `own_fen`."""
    bill: dict[str, Any] = {
        "medfee_sumamt_fen": total_fen,
        "fulamt_ownpay_fen": 0,
        "overlmt_selfpay_fen": 0,
        "preselfpay_fen": 0,
        "inscp_scp_fen": total_fen,
        "fund_pay_sumamt_fen": fund_fen,
        "hosp_part_fen": 0,
        "psn_part_fen": total_fen - fund_fen,
        "own_acct_pay_fen": own_fen,
        "med_type": MED_TYPES[purpose],
    }
    if purpose == "pharmacy":
        bill["items"] = [{"category": "drug", "amount_fen": total_fen, "eligible": True}]
    return bill


async def prove_presence(town: Town, institution: Institution, patient: Citizen) -> dict[str, Any]:
    """R30: the patient's own code, read at the counter."""
    shown = {"credential": {"type": "e_certificate", "value": await town.ec_code(patient)}}
    presence: dict[str, Any] = succeeded(
        await institution.post("/v1/presences", shown), 201, "proving presence"
    )
    return presence


def payment_of(presence: dict[str, Any]) -> dict[str, Any]:
    """The request that takes the whole of E1's personal burden from mutual aid."""
    return {
        "presence_token": presence["presence_token"],
        "purpose": "pharmacy",
        "bill": BILL,
        "amount_fen": BURDEN_FEN,
    }


async def pay(
    institution: Institution,
    asked: dict[str, Any],
    *,
    key: str | None = None,
    trace: Trace | None = None,
) -> tuple[str, Reply]:
    """Ask for a payment; the key it was asked under, and the answer."""
    key = key or str(uuid4())
    return key, await institution.post("/v1/payments", asked, key=key, trace=trace)
