"""Reverse: the institution does not know what became of its request, so it undoes it (R23).

held --amount--> available         the hold is released
spent --net----> restoring         the capture is given back, less what was refunded
available --amount--> spent        a refund is charged again

A key that nothing was asked under gets a tombstone: its request will be refused when it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.commands import Reverse
from contracts.internal import institution_caller
from kit.receipts import read_receipts, write_tombstones
from kit.transaction import Transaction
from kit.work import ReceiptKey
from policy.policy import Policy
from wallet.domain import reverse as rules
from wallet.domain.decisions import Decision
from wallet.domain.original import Found, original_of
from wallet.store.opening import open_payments
from wallet.store.reversals import insert_reversals, refunds_of, reversed_keys
from wallet.store.writing import write


async def reverse(
    tx: Transaction, commands: Sequence[Reverse], now: datetime, *, policy: Policy
) -> list[Decision]:
    keys = [_original_key_of(command) for command in commands]
    _, receipts = await read_receipts(tx, keys)
    originals = {name: original_of(given) for name, (_, given) in receipts.items()}
    payment_ids = [each.payment_id for each in originals.values() if each.payment_id is not None]
    done = await reversed_keys(tx, keys)
    refunds = await refunds_of(tx, payment_ids)
    books = await open_payments(tx, now, policy, payment_ids)

    decisions = []
    for command, key in zip(commands, keys, strict=True):
        original = originals.get(key.name)
        found = Found(
            before=done.get(key.name),
            original=original,
            refunds=refunds.get(original.payment_id, []) if original is not None else [],
        )
        decision = rules.reverse(books, command, found)
        if decision.undone is not None:
            done[key.name] = decision.undone
        if decision.refund is not None:
            refunds.setdefault(decision.refund.payment_id, []).append(decision.refund)
        decisions.append(decision)

    await write(tx, decisions, books)
    undone = [given.undone for given in decisions if given.undone is not None]
    await insert_reversals(tx, undone)
    withdrawn = [each.name for each in undone if each.payment_id is None]
    await write_tombstones(tx, [_key_named(*name) for name in withdrawn], now)
    return decisions


def _original_key_of(command: Reverse) -> ReceiptKey:
    caller = institution_caller(command.institution)
    return _key_named(caller, command.person_id, command.original_key)


def _key_named(caller: str, scope: UUID, key: str) -> ReceiptKey:
    return ReceiptKey(caller=caller, scope=scope, key=key, fingerprint=b"")
