"""What the outside world refuses, beside the refusals that everybody shares."""

from __future__ import annotations

from kit.refusal import Refusal


class ProvinceNotPlayed(Refusal):
    """Somebody else plays this province."""

    status = 422
    title_zh = "该省份由他人扮演"


class PlatformSilent(Refusal):
    """The person was announced, but the platform has not taken them up in time."""

    status = 504
    title_zh = "已发布参保信息，但平台未及时接收"
    retryable = True
    kept = False


class NoAccount(Refusal):
    """The person has no personal account here."""

    status = 404
    title_zh = "此人在该省没有个人账户"


class NumbersExhausted(Refusal):
    """No made-up identity number is left for this day of birth."""

    status = 409
    title_zh = "该出生日期的示例号码已用完"
