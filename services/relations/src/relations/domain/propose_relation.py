"""The rule of a proposal: one of two persons wants to give, or to be given (R1-R4, R15, R29)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from contracts.commands import ProposeRelation
from contracts.refusals import (
    ConsentRequired,
    KindNotEligible,
    NotInsured,
    RelationExists,
    WalletNotOpen,
)
from contracts.vocabulary import RelationState, Role
from kit.refusal import NotFound, Refusal, WrongState
from policy.policy import Policy
from relations.domain.consent import refusal_of_consent
from relations.domain.decisions import Decision, StateEntered, refused
from relations.domain.eligibility import Pair, insured_pair, refusal_of_areas, refusal_of_kind
from relations.domain.people import People
from relations.domain.relation import Relation, Relations
from relations.domain.views import relation_answer


def propose_relation(
    people: People,
    relations: Relations,
    command: ProposeRelation,
    policy: Policy,
    *,
    now: datetime,
    today: date,
    new_id: Callable[[], UUID],
) -> Decision:
    """A relation in state `proposed` that waits for the other one's consent: 201.

    `today` is the Beijing day of `now`.
    """
    proposer, counterpart = (
        people.person(command.proposer_id),
        people.person(command.counterpart_id),
    )
    if proposer is None or counterpart is None:
        return refused(NotFound())
    if proposer.merged_into is not None or counterpart.merged_into is not None:
        return refused(NotFound())
    if proposer is counterpart:
        return refused(KindNotEligible("nobody is a relative of their own"))
    gives = command.role is Role.SHARER
    pair = insured_pair(proposer if gives else counterpart, counterpart if gives else proposer)
    if isinstance(pair, NotInsured):
        return refused(pair)
    refusal = (
        refusal_of_areas(pair, policy, today)
        or refusal_of_kind(pair, command.kind, policy, today)
        or _refusal_of_letter(pair, command, policy, today)
        or refusal_of_consent(
            people,
            relations,
            proposer,
            command.guardian_id,
            sharer_id=pair.sharer.person_id,
            policy=policy,
            today=today,
        )
        or _refusal_of_wallets(command)
        or _refusal_of_others(pair, relations, policy, today)
    )
    if refusal is not None:
        return refused(refusal)

    relation = _proposed(pair, command, now, new_id())
    relations.put(relation)
    return Decision(
        answer=relation_answer(201, relation, command.role),
        entered=(
            StateEntered(
                relation=relation,
                actor_id=proposer.person_id,
                guardian_id=command.guardian_id,
                happened_at=now,
            ),
        ),
    )


def _proposed(pair: Pair, command: ProposeRelation, now: datetime, relation_id: UUID) -> Relation:
    return Relation(
        relation_id=relation_id,
        sharer_id=pair.sharer.person_id,
        beneficiary_id=pair.beneficiary.person_id,
        kind=command.kind,
        state=RelationState.PROPOSED,
        proposed_by=command.role,
        commitment_version=command.commitment_version,
        sharer_psn_no=pair.giving.psn_no,
        sharer_pool_admdvs=pair.giving.pool_admdvs,
        beneficiary_pool_admdvs=pair.receiving.pool_admdvs,
        proposed_at=now,
        changed_at=now,
        sequence=1,
    )


def _refusal_of_letter(
    pair: Pair, command: ProposeRelation, policy: Policy, today: date
) -> Refusal | None:
    """R3: consent is given to a commitment letter that is in force."""
    own = pair.giving if command.role is Role.SHARER else pair.receiving
    if command.commitment_version in policy.at(own.pool_admdvs, today).commitment_versions:
        return None
    return ConsentRequired("no commitment letter of this version is in force")


def _refusal_of_wallets(command: ProposeRelation) -> Refusal | None:
    """R29: both have opened their wallets; the gateway asked the wallet just before."""
    if not command.proposer_wallet_open:
        return WalletNotOpen("your wallet has not been opened")
    if not command.counterpart_wallet_open:
        return WalletNotOpen("the other person's wallet has not been opened")
    return None


def _refusal_of_others(
    pair: Pair, relations: Relations, policy: Policy, today: date
) -> Refusal | None:
    """R4: one open relation in each direction, and as many as the sharer's region allows."""
    if relations.between(pair.sharer.person_id, pair.beneficiary.person_id) is not None:
        return RelationExists()
    cap = policy.at(pair.giving.pool_admdvs, today).relation_cap
    if cap is not None and relations.given_by(pair.sharer.person_id) >= cap:
        return WrongState(f"the sharer's area allows {cap} relations")
    return None
