"""The rule of a registration: what was told last of an area holds for the person (R26)."""

from __future__ import annotations

from dataclasses import replace

from kit.answers import answer
from wallet.domain.books import Books
from wallet.domain.commands import RecordRegistration
from wallet.domain.decisions import Decision


def record_registration(books: Books, command: RecordRegistration) -> Decision:
    """Relations tells of a person before it tells where that person is registered."""
    known = books.wallets.get(command.person_id)
    assert known is not None, "a registration of somebody who was never told of"
    told = command.registration
    others = (each for each in known.registrations if each.mdtrtarea_admvs != told.mdtrtarea_admvs)
    registered = replace(known, registrations=(*others, told))
    books.wallets[command.person_id] = registered
    return Decision(answer=answer(200, {}), wallet=registered)
