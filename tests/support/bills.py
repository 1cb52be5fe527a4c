"""Bills for tests: E1 of the worked examples, and whatever a test wants to change about it."""

from __future__ import annotations

from contracts.public import Bill, Item
from contracts.vocabulary import ItemCategory

E1 = {
    "medfee_sumamt_fen": 579_253,
    "fulamt_ownpay_fen": 29_620,
    "overlmt_selfpay_fen": 0,
    "preselfpay_fen": 52_261,
    "inscp_scp_fen": 497_372,
    "fund_pay_sumamt_fen": 310_654,
    "hosp_part_fen": 0,
    "psn_part_fen": 268_599,
    "own_acct_pay_fen": 0,
    "med_type": "41",
}


def bill(**changes: object) -> Bill:
    return Bill.model_validate({**E1, **changes}, strict=False)


def bill_of(psn_part: int, *, own_acct_pay: int = 0, items: tuple[Item, ...] | None = None) -> Bill:
    """A bill that the person pays alone, `psn_part` fen in all, one eligible drug."""
    return Bill(
        medfee_sumamt_fen=psn_part,
        fulamt_ownpay_fen=0,
        overlmt_selfpay_fen=0,
        preselfpay_fen=0,
        inscp_scp_fen=psn_part,
        fund_pay_sumamt_fen=0,
        hosp_part_fen=0,
        psn_part_fen=psn_part,
        own_acct_pay_fen=own_acct_pay,
        med_type="41",
        items=items or (drug(psn_part),),
    )


def drug(amount: int, *, eligible: bool = True) -> Item:
    return Item(category=ItemCategory.DRUG, amount_fen=amount, eligible=eligible)
