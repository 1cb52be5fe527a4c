"""A provincial core: accounts, what is frozen of them for which quota, and what was decided.

    freeze      spendable -> frozen     refused where the account has less
    unfreeze    frozen -> spendable
    debit       frozen -> gone          balance and frozen fall together
    credit      back -> frozen          balance and frozen rise together
    return      back -> spendable       the balance alone: the relation has ended

What was decided under an id is final: asked again, the core says the same and does nothing. An
order that the account cannot bear is not obeyed at all; there is no answer for it, so it is put
aside for people to look at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from sandbox.domain.behaviour import Behaviour

AccountName = tuple[str, str]
"""Province and psn_no."""


class Contradiction(Exception):
    """An id came again, but with other content."""


class Overdraft(Exception):
    """An order wants more than is frozen for its quota."""


class EntryKind(StrEnum):
    OPENING = "opening"
    DEPOSIT = "deposit"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    DEBIT = "debit"
    CREDIT = "credit"
    RETURN = "return"


class FreezeState(StrEnum):
    WAITING = "waiting"  # the province keeps silent
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    province: str
    psn_no: str
    pool_admdvs: str
    balance_fen: int
    frozen_fen: int

    def __post_init__(self) -> None:
        assert 0 <= self.frozen_fen <= self.balance_fen

    @property
    def name(self) -> AccountName:
        return self.province, self.psn_no

    @property
    def spendable_fen(self) -> int:
        return self.balance_fen - self.frozen_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of one account; `balance_fen` and `frozen_fen` are differences."""

    account: AccountName
    kind: EntryKind
    reference: UUID
    balance_fen: int = 0
    frozen_fen: int = 0
    quota_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of one account for one quota."""

    province: str
    psn_no: str
    pool_admdvs: str
    quota_id: UUID
    amount_fen: int

    def __post_init__(self) -> None:
        assert self.amount_fen > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    freeze_id: UUID
    asked: Asked
    state: FreezeState
    reason: str | None = None
    asked_at: datetime
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    order_id: UUID
    kind: Literal["unfreeze", "debit", "credit", "return"]
    asked: Asked

    @property
    def effect_fen(self) -> tuple[int, int]:
        """What becomes of balance and frozen."""
        amount = self.asked.amount_fen
        return {
            "unfreeze": (0, -amount),
            "debit": (-amount, -amount),
            "credit": (amount, amount),
            "return": (amount, 0),
        }[self.kind]


@dataclass(slots=True, kw_only=True)
class Core:
    """The mutable copy of the books that one batch works on, and what it has to write."""

    accounts: dict[AccountName, Account]
    frozen: dict[UUID, int]
    freezes: dict[UUID, Freeze] = field(default_factory=dict)
    orders: dict[UUID, Order] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    new_freezes: list[Freeze] = field(default_factory=list)
    decided_freezes: list[Freeze] = field(default_factory=list)
    new_orders: list[Order] = field(default_factory=list)

    def ask_freeze(
        self, freeze_id: UUID, asked: Asked, behaviour: Behaviour, now: datetime
    ) -> Freeze:
        """Take up a request; it is decided, as before if it came before, or waits.

        Raises Contradiction.
        """
        known = self.freezes.get(freeze_id)
        if known is not None:
            if known.asked != asked:
                raise Contradiction(f"freeze {freeze_id} was asked for differently before")
            return known
        freeze = Freeze(freeze_id=freeze_id, asked=asked, state=FreezeState.WAITING, asked_at=now)
        if behaviour.freeze != "silent":
            freeze = self._decided(freeze, behaviour, now)
        self.freezes[freeze_id] = freeze
        self.new_freezes.append(freeze)
        return freeze

    def break_silence(self, freeze: Freeze, behaviour: Behaviour, now: datetime) -> Freeze:
        """Decide a request that waited."""
        assert freeze.state is FreezeState.WAITING
        assert behaviour.freeze != "silent"
        decided = self._decided(freeze, behaviour, now)
        self.freezes[freeze.freeze_id] = decided
        self.decided_freezes.append(decided)
        return decided

    def _decided(self, freeze: Freeze, behaviour: Behaviour, now: datetime) -> Freeze:
        asked = freeze.asked
        reason = self._against(asked, behaviour)
        if reason is not None:
            return replace(freeze, state=FreezeState.REFUSED, reason=reason, decided_at=now)
        self._post(
            Entry(
                account=(asked.province, asked.psn_no),
                kind=EntryKind.FREEZE,
                reference=freeze.freeze_id,
                frozen_fen=asked.amount_fen,
                quota_id=asked.quota_id,
            )
        )
        return replace(freeze, state=FreezeState.CONFIRMED, decided_at=now)

    def _against(self, asked: Asked, behaviour: Behaviour) -> str | None:
        """What speaks against freezing; None if nothing does."""
        if behaviour.freeze == "refuse":
            return "refused"
        account = self.accounts.get((asked.province, asked.psn_no))
        if account is None or account.pool_admdvs != asked.pool_admdvs:
            return "no-account"
        if account.spendable_fen < asked.amount_fen:
            return "insufficient"
        return None

    def obey(self, order: Order) -> None:
        """Obey an order, once. Raises Contradiction or Overdraft."""
        known = self.orders.get(order.order_id)
        if known is not None:
            if known != order:
                raise Contradiction(f"order {order.order_id} was given differently before")
            return
        asked = order.asked
        balance_fen, frozen_fen = order.effect_fen
        frozen = self.frozen.get(asked.quota_id, 0)
        if frozen + frozen_fen < 0 or (asked.province, asked.psn_no) not in self.accounts:
            raise Overdraft(
                f"order {order.order_id} wants {asked.amount_fen} fen, {frozen} are frozen"
            )
        self._post(
            Entry(
                account=(asked.province, asked.psn_no),
                kind=EntryKind(order.kind),
                reference=order.order_id,
                balance_fen=balance_fen,
                frozen_fen=frozen_fen,
                quota_id=asked.quota_id,
            )
        )
        self.orders[order.order_id] = order
        self.new_orders.append(order)

    def against_credit(self, order: Order) -> Literal["moved", "closed"] | None:
        """Why money cannot be given back to this account; None if it can."""
        account = self.accounts.get((order.asked.province, order.asked.psn_no))
        if account is None:
            return "closed"
        return None if account.pool_admdvs == order.asked.pool_admdvs else "moved"

    def deposit(self, name: AccountName, amount_fen: int, reference: UUID) -> Account:
        """Pay into an account; returns it as it is then."""
        assert amount_fen > 0
        self._post(
            Entry(account=name, kind=EntryKind.DEPOSIT, reference=reference, balance_fen=amount_fen)
        )
        return self.accounts[name]

    def _post(self, entry: Entry) -> None:
        account = self.accounts[entry.account]
        self.accounts[entry.account] = replace(
            account,
            balance_fen=account.balance_fen + entry.balance_fen,
            frozen_fen=account.frozen_fen + entry.frozen_fen,
        )
        if entry.quota_id is not None:
            self.frozen[entry.quota_id] = self.frozen.get(entry.quota_id, 0) + entry.frozen_fen
            assert self.frozen[entry.quota_id] >= 0
        self.entries.append(entry)
