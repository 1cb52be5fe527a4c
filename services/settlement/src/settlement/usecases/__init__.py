"""What settlement does, one file each: read, decide, write, tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache, partial

from kit.work import UseCase
from policy.policy import Policy
from policy.settings import Prefund
from settlement.domain.commands import (
    BalancePeriod,
    ClosePeriod,
    IssueStatements,
    RecordAnswer,
    RecordCut,
    RecordLine,
    RecordTopUp,
    RecordTransfer,
)
from settlement.usecases.balance_period import balance_period
from settlement.usecases.close_period import close_period
from settlement.usecases.issue_statements import issue_statements
from settlement.usecases.record_answer import record_answer
from settlement.usecases.record_cut import record_cut
from settlement.usecases.record_line import record_line
from settlement.usecases.record_top_up import record_top_up
from settlement.usecases.record_transfer import record_transfer

MOST_KNOWN_AREAS = 100_000


def usecases(policy: Policy) -> Mapping[type, UseCase]:
    """Which use case performs which command."""
    # Asked twice a line: a look-up by hand costs as much as all else that is done with one.
    province_of = lru_cache(MOST_KNOWN_AREAS)(policy.province_of)

    def thresholds_of(debtor: str, day: date) -> Prefund:
        return policy.at(debtor, day).prefund

    return {
        RecordLine: partial(record_line, province_of=province_of, thresholds_of=thresholds_of),
        RecordCut: record_cut,
        BalancePeriod: balance_period,
        IssueStatements: issue_statements,
        RecordAnswer: record_answer,
        RecordTransfer: partial(record_transfer, thresholds_of=thresholds_of),
        ClosePeriod: close_period,
        RecordTopUp: partial(record_top_up, thresholds_of=thresholds_of),
    }
