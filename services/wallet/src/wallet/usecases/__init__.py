"""What the wallet does, one file each: read, decide, write, tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from contracts.commands import (
    Capture,
    Extend,
    Hold,
    OpenWallet,
    OrderSharers,
    Pay,
    PayPremium,
    Refund,
    Release,
    Reverse,
    SetQuota,
)
from kit.work import UseCase
from policy.policy import Policy
from wallet.domain.commands import (
    AskAgain,
    AskPremiumAgain,
    EndQuota,
    ExpireHold,
    GiveUpFreeze,
    OpenQuota,
    RecordFreeze,
    RecordOrderAnswer,
    RecordPerson,
    RecordPremiumAnswer,
    RecordRegistration,
    RepeatOrder,
    SuspendQuota,
    TellCut,
)
from wallet.domain.patience import Insistence
from wallet.usecases.ask_again import ask_again
from wallet.usecases.ask_premium_again import ask_premium_again
from wallet.usecases.capture import capture
from wallet.usecases.end_quota import end_quota
from wallet.usecases.expire_holds import expire_holds
from wallet.usecases.extend import extend
from wallet.usecases.give_up_freeze import give_up_freeze
from wallet.usecases.hold import hold
from wallet.usecases.open_quota import open_quota
from wallet.usecases.open_wallet import open_wallet
from wallet.usecases.order_sharers import order_sharers
from wallet.usecases.pay import pay
from wallet.usecases.pay_premium import pay_premium
from wallet.usecases.record_freeze import record_freeze
from wallet.usecases.record_order_answer import record_order_answer
from wallet.usecases.record_person import record_person
from wallet.usecases.record_premium_answer import record_premium_answer
from wallet.usecases.record_registration import record_registration
from wallet.usecases.refund import refund
from wallet.usecases.release import release
from wallet.usecases.repeat_order import repeat_order
from wallet.usecases.reverse import reverse
from wallet.usecases.set_quota import set_quota
from wallet.usecases.suspend_quota import suspend_quota
from wallet.usecases.tell_cut import tell_cut


def usecases(policy: Policy, insistence: Insistence) -> Mapping[type, UseCase]:
    """Which use case performs which command."""
    return {
        OpenWallet: partial(open_wallet, policy=policy),
        OpenQuota: partial(open_quota, policy=policy),
        SetQuota: partial(set_quota, policy=policy),
        OrderSharers: partial(order_sharers, policy=policy),
        Pay: partial(pay, policy=policy),
        Hold: partial(hold, policy=policy),
        Capture: partial(capture, policy=policy),
        Extend: partial(extend, policy=policy),
        Release: partial(release, policy=policy),
        Refund: partial(refund, policy=policy),
        Reverse: partial(reverse, policy=policy),
        PayPremium: partial(pay_premium, policy=policy, insistence=insistence),
        RecordPremiumAnswer: partial(record_premium_answer, policy=policy),
        AskPremiumAgain: partial(ask_premium_again, policy=policy, insistence=insistence),
        ExpireHold: partial(expire_holds, policy=policy),
        SuspendQuota: partial(suspend_quota, policy=policy),
        EndQuota: partial(end_quota, policy=policy),
        RecordFreeze: partial(record_freeze, policy=policy),
        RecordPerson: partial(record_person, policy=policy),
        RecordRegistration: partial(record_registration, policy=policy),
        RecordOrderAnswer: partial(record_order_answer, policy=policy),
        AskAgain: partial(ask_again, policy=policy),
        RepeatOrder: partial(repeat_order, policy=policy),
        GiveUpFreeze: partial(give_up_freeze, policy=policy),
        TellCut: tell_cut,
    }
