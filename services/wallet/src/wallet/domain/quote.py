"""The rule of a quote: what a payment would be, were it made now; nothing moves.

personal burden = own account (as declared) + mutual aid + cash
"""

from __future__ import annotations

from contracts.commands import Quote
from contracts.refusals import QuotaInsufficient
from kit.answers import Answer, answer
from kit.refusal import Refusal
from wallet.domain import bill as bills
from wallet.domain.books import Books
from wallet.domain.charge import OpenAreas, unpayable, usable
from wallet.domain.payment import Allocation
from wallet.domain.views import allocations_view
from wallet.domain.waterfall import allocate


def quote(books: Books, wanted: Quote, areas: OpenAreas) -> Answer | Refusal:
    """What each would give, in fen, or why a payment would be refused."""
    refusal = unpayable(books, wanted, areas)
    if refusal is not None:
        return refusal
    most = wanted.amount_fen
    if most is None:
        shared_first = books.shared_first(books.wallets[wanted.person_id].pool_admdvs)
        most = bills.payable(wanted.bill, shared_first=shared_first)
    allocations = allocate(usable(books, wanted.person_id, areas), most)
    aid = sum(allocation.amount for allocation in allocations)
    if wanted.amount_fen is not None and aid < most:
        return QuotaInsufficient(f"{aid} fen are available")
    return answer(200, _view(wanted, allocations, aid))


def _view(wanted: Quote, allocations: tuple[Allocation, ...], aid: int) -> dict[str, object]:
    burden, own = wanted.bill.psn_part_fen, wanted.bill.own_acct_pay_fen
    return {
        "personal_burden_fen": burden,
        "own_account_fen": own,
        "mutual_aid_fen": aid,
        "cash_fen": burden - own - aid,
        "allocations": allocations_view(allocations),
    }
