"""Topics: who tells what to whom, under which key, in how many partitions.

Partition counts never change: the order of a key depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.vocabulary import PROVINCES

BORDER_PARTITIONS = 3
OWN_PARTITIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """`key` says in words what a record's key is."""

    name: str
    key: str
    partitions: int


RELATION = Topic(
    name="relations.relation", key="person_id of the beneficiary", partitions=OWN_PARTITIONS
)
PERSON = Topic(name="relations.person", key="person_id", partitions=OWN_PARTITIONS)
QUOTA = Topic(name="wallet.quota", key="person_id of the beneficiary", partitions=OWN_PARTITIONS)
PAYMENT = Topic(
    name="wallet.payment", key="person_id of the beneficiary", partitions=OWN_PARTITIONS
)
PERIOD = Topic(name="wallet.period", key="month", partitions=BORDER_PARTITIONS)
CLEARING = Topic(name="settlement.clearing", key="month", partitions=BORDER_PARTITIONS)
PREFUND = Topic(
    name="settlement.prefund", key="debtor and creditor province", partitions=BORDER_PARTITIONS
)


def from_province(province: str) -> Topic:
    return Topic(name=f"from.{province}", key="psn_no, or period", partitions=BORDER_PARTITIONS)


def to_province(province: str) -> Topic:
    return Topic(name=f"to.{province}", key="quota_id, or period", partitions=BORDER_PARTITIONS)


def dead(service: str) -> Topic:
    return Topic(name=f"dead.{service}", key="as read", partitions=1)


FROM_PROVINCES = tuple(from_province(province) for province in PROVINCES)
TO_PROVINCES = tuple(to_province(province) for province in PROVINCES)
DEAD = tuple(dead(service) for service in ("relations", "wallet", "settlement", "gateway"))
OURS = (RELATION, PERSON, QUOTA, PAYMENT, PERIOD, CLEARING, PREFUND)
ALL = (*OURS, *FROM_PROVINCES, *TO_PROVINCES, *DEAD)
