"""Every refusal of the system, by name: HTTP status, titles in both languages.

Refusal (kit)
├── generic: Invalid TooLarge KeyRequired KeyReused Forbidden NotFound WrongState …
├── who asks: SignatureInvalid SignatureReplayed TooManySessions PresenceExpired ConsentRequired
├── who may take part: NotInsured AreaNotOpen WalletNotOpen InstitutionNotEnabled …
├── relations: KindNotEligible RelationExists RelationNotActive
└── money: QuotaInsufficient ExceedsPersonalBurden PurposeNotAllowed BillDoesNotAddUp
    ├── of a hold: PaymentNotHeld HoldExpired CaptureExceedsHold
    ├── of a refund: PaymentNotCaptured RefundExceedsCapture
    └── of a reversal: ReversalNotPossible
"""

from __future__ import annotations

from kit.refusal import (
    Busy,
    Forbidden,
    InProgress,
    Invalid,
    KeyRequired,
    KeyReused,
    NotFound,
    Refusal,
    ReversedBeforeArrival,
    TooLarge,
    Unavailable,
    WrongState,
)


class SignatureInvalid(Refusal):
    """The request's signature is missing or wrong."""

    status = 401
    title_zh = "签名缺失或无效"
    kept = False


class SignatureReplayed(Refusal):
    """The request's nonce was used before."""

    status = 401
    title_zh = "请求随机数已被使用"
    kept = False


class TooManySessions(Refusal):
    """The institution has as many live sessions as it may; those it has go on."""

    status = 429
    title_zh = "机构的有效会话数已达上限"
    retryable = True
    kept = False
    retry_after_seconds = 60


class TokenInvalid(Refusal):
    """The bearer token is missing, expired or not ours."""

    status = 401
    title_zh = "登录凭证缺失、过期或无效"
    kept = False


class PresenceExpired(Refusal):
    """The presence token is expired, forged or another's."""

    status = 401
    title_zh = "到场凭证已过期或无效"
    kept = False


class ConsentRequired(Refusal):
    """The person concerned, or a guardian, has to consent."""

    status = 403
    title_zh = "需要本人或监护人同意"
    kept = False


class NotInsured(Refusal):
    """The person has no active insurance that allows this."""

    status = 422
    title_zh = "未参保或参保状态不正常"


class AreaNotOpen(Refusal):
    """Mutual aid is not open in this area on this day."""

    status = 422
    title_zh = "该地区尚未开通跨省共济"


class WalletNotOpen(Refusal):
    """The medical-insurance wallet has not been opened."""

    status = 422
    title_zh = "未开通医保钱包"


class RegistrationRequired(Refusal):
    """Treatment away from the insured area has to be registered first."""

    status = 422
    title_zh = "需先办理异地就医备案"


class InstitutionNotEnabled(Refusal):
    """The institution may not take wallet payments."""

    status = 422
    title_zh = "该机构未开通医保钱包支付"


class KindNotEligible(Refusal):
    """This kind of relation is not eligible for mutual aid."""

    status = 422
    title_zh = "该亲属关系不在共济范围内"


class RelationExists(Refusal):
    """The two already have such a relation."""

    status = 409
    title_zh = "共济关系已存在"


class RelationNotActive(Refusal):
    """The relation is not active."""

    status = 409
    title_zh = "共济关系未生效"


class RelationActivating(Refusal):
    """The relation is being activated; try again."""

    status = 409
    title_zh = "共济关系正在生效，请稍后重试"
    retryable = True
    kept = False
    retry_after_seconds = 1

    @classmethod
    def code(cls) -> str:
        return RelationNotActive.code()


class QuotaInsufficient(Refusal):
    """The available quota is less than the amount asked for."""

    status = 422
    title_zh = "共济额度不足"


class ExceedsPersonalBurden(Refusal):
    """The amount is more than the person's own share of the bill."""

    status = 422
    title_zh = "金额超过个人负担部分"


class PurposeNotAllowed(Refusal):
    """Mutual aid may not be used for this."""

    status = 422
    title_zh = "该用途不在共济支付范围内"


class BillDoesNotAddUp(Refusal):
    """The amounts of the bill contradict each other."""

    status = 422
    title_zh = "账单金额勾稽不符"


class PaymentNotHeld(Refusal):
    """The payment is not held any more."""

    status = 409
    title_zh = "该笔支付不处于预授权状态"


class HoldExpired(Refusal):
    """The hold was not captured in time and has expired."""

    status = 409
    title_zh = "预授权已过期"


class CaptureExceedsHold(Refusal):
    """The amount is more than what is held."""

    status = 422
    title_zh = "扣款金额超过预授权金额"


class PaymentNotCaptured(Refusal):
    """The payment was not captured, or it was reversed: there is nothing to give back."""

    status = 409
    title_zh = "该笔支付未扣款或已冲正"


class RefundExceedsCapture(Refusal):
    """The amount is more than what was captured and not given back yet."""

    status = 422
    title_zh = "退费金额超过可退金额"


class ReversalNotPossible(Refusal):
    """What was asked under this key cannot be undone."""

    status = 409
    title_zh = "该请求无法冲正"


class ReversalNotPossibleYet(Refusal):
    """The refund is still on its way; try again."""

    status = 409
    title_zh = "退费尚在途中，请稍后重试"
    retryable = True
    kept = False
    retry_after_seconds = 2

    @classmethod
    def code(cls) -> str:
        return ReversalNotPossible.code()


CATALOGUE: tuple[type[Refusal], ...] = (
    Invalid,
    TooLarge,
    KeyRequired,
    KeyReused,
    Forbidden,
    NotFound,
    WrongState,
    ReversedBeforeArrival,
    InProgress,
    Busy,
    Unavailable,
    SignatureInvalid,
    SignatureReplayed,
    TooManySessions,
    TokenInvalid,
    PresenceExpired,
    ConsentRequired,
    NotInsured,
    AreaNotOpen,
    WalletNotOpen,
    RegistrationRequired,
    InstitutionNotEnabled,
    KindNotEligible,
    RelationExists,
    RelationNotActive,
    RelationActivating,
    QuotaInsufficient,
    ExceedsPersonalBurden,
    PurposeNotAllowed,
    BillDoesNotAddUp,
    PaymentNotHeld,
    HoldExpired,
    CaptureExceedsHold,
    PaymentNotCaptured,
    RefundExceedsCapture,
    ReversalNotPossible,
    ReversalNotPossibleYet,
)
