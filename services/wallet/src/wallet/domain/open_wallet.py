"""The rule of opening a wallet (R29), and of what the wallet knows of a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contracts.commands import OpenWallet, PersonSnapshot
from contracts.refusals import ConsentRequired, NotInsured
from kit.answers import answer
from wallet.domain.books import Books, Wallet
from wallet.domain.commands import RecordPerson
from wallet.domain.decisions import NOTHING_NEW, Decision, refused
from wallet.domain.views import wallet_view


def open_wallet(books: Books, command: OpenWallet) -> Decision:
    """Open the wallet of an insured person: 201, or 200 where it was open already.

    What relatives have put into it is not shown to somebody who merely calls themselves a guardian
    (R13).
    """
    person_id = command.person.person_id
    known = _newest(books.wallets.get(person_id), command.person)
    if not known.insured:
        return refused(NotInsured())
    quotas = books.quotas_of(person_id)
    if (quotas or command.given_fen) and not command.may_look:
        return refused(ConsentRequired("it is open: a guardian who shares with them may see it"))
    first = known.opened_at is None
    if first:
        known = replace(known, opened_at=books.moment.now)
    books.wallets[person_id] = known
    view = wallet_view(person_id, known, quotas) | {"given_fen": command.given_fen}
    return Decision(answer=answer(201 if first else 200, view), wallet=known)


def record_person(books: Books, command: RecordPerson) -> Decision:
    """Take over a newer snapshot of a person; an older one changes nothing."""
    before = books.wallets.get(command.person.person_id)
    known = _newest(before, command.person)
    if known == before:
        return NOTHING_NEW
    books.wallets[known.person_id] = known
    return Decision(answer=answer(200, {}), wallet=known)


def _newest(known: Wallet | None, person: PersonSnapshot) -> Wallet:
    if known is not None and known.version >= person.version:
        return known
    return Wallet(
        person_id=person.person_id,
        version=person.version,
        psn_no=person.psn_no,
        pool_admdvs=person.pool_admdvs,
        insutype=person.insutype,
        insured=person.insured,
        opened_at=known.opened_at if known is not None else None,
        registrations=known.registrations if known is not None else (),
    )


def last_known(decisions: Iterable[Decision]) -> list[Wallet]:
    """What is to be kept of a batch: of each person the last that was decided."""
    last = {given.wallet.person_id: given.wallet for given in decisions if given.wallet}
    return list(last.values())
