"""What relations does, one file each: read, decide, write, tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from contracts.commands import (
    ConfirmRelation,
    DeclineRelation,
    EndRelation,
    ProposeRelation,
)
from kit.work import UseCase
from policy.policy import Policy
from relations.domain.commands import (
    ActivateRelation,
    AskKinshipAgain,
    CloseRelation,
    EndLapsed,
    MergePersons,
    RecordEnrolment,
    RecordRegistration,
    VerifyKinship,
)
from relations.usecases.activate_relation import activate_relation
from relations.usecases.ask_kinship_again import ask_kinship_again
from relations.usecases.close_relation import close_relation
from relations.usecases.confirm_relation import confirm_relation
from relations.usecases.decline_relation import decline_relation
from relations.usecases.end_lapsed import end_lapsed
from relations.usecases.end_relation import end_relation
from relations.usecases.merge_persons import merge_persons
from relations.usecases.propose_relation import propose_relation
from relations.usecases.record_enrolment import record_enrolment
from relations.usecases.record_registration import record_registration
from relations.usecases.verify_kinship import verify_kinship


def usecases(policy: Policy) -> Mapping[type, UseCase]:
    """Which use case performs which command."""
    return {
        RecordEnrolment: partial(record_enrolment, policy=policy),
        ProposeRelation: partial(propose_relation, policy=policy),
        ConfirmRelation: partial(confirm_relation, policy=policy),
        DeclineRelation: partial(decline_relation, policy=policy),
        ActivateRelation: partial(activate_relation, policy=policy),
        EndRelation: partial(end_relation, policy=policy),
        CloseRelation: partial(close_relation, policy=policy),
        RecordRegistration: record_registration,
        MergePersons: partial(merge_persons, policy=policy),
        EndLapsed: end_lapsed,
        VerifyKinship: verify_kinship,
        AskKinshipAgain: ask_kinship_again,
    }
