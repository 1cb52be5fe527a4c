"""Who may become relatives in mutual aid: insurance, areas, kinds (R1, R2, R15, R29)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from contracts.refusals import AreaNotOpen, KindNotEligible, NotInsured
from kit.refusal import Refusal
from policy.policy import Policy
from relations.domain.people import Enrolment, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two persons by the enrolments that count: the sharer's account, the beneficiary's scheme."""

    sharer: Person
    beneficiary: Person
    giving: Enrolment
    receiving: Enrolment


def insured_pair(sharer: Person, beneficiary: Person) -> Pair | NotInsured:
    """R1: the sharer is actively insured as an employee, the beneficiary at all."""
    giving, receiving = sharer.employee, beneficiary.primary
    if giving is None or not giving.insured:
        return NotInsured("the sharer has no active employee insurance")
    if not receiving.insured:
        return NotInsured("the beneficiary has no active employee or resident insurance")
    return Pair(sharer=sharer, beneficiary=beneficiary, giving=giving, receiving=receiving)


def refusal_of_areas(pair: Pair, policy: Policy, today: date) -> Refusal | None:
    """R29: both areas are open on the Beijing day. R15: one province only where it opted in."""
    pools = (pair.giving.pool_admdvs, pair.receiving.pool_admdvs)
    for pool in pools:
        if not policy.area_open(pool, today):
            return AreaNotOpen(f"mutual aid is not open in {pool}")
    if len({policy.province_of(pool, today) for pool in pools}) > 1:
        return None
    for pool in pools:
        if not policy.at(pool, today).intra_province_relations:
            return AreaNotOpen("both live in one province, which has not opted in")
    return None


def refusal_of_kind(pair: Pair, kind: str, policy: Policy, today: date) -> Refusal | None:
    """R2: the national kinds, and a region's own where it is known on both sides."""
    for pool in (pair.giving.pool_admdvs, pair.receiving.pool_admdvs):
        if kind not in policy.at(pool, today).all_relation_kinds:
            return KindNotEligible()
    return None
