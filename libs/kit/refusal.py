"""Refusals: what is said, by name, when something asked for does not happen.

    Refusal
    ├── Invalid TooLarge KeyRequired KeyReused      the request itself is at fault
    ├── Forbidden NotFound WrongState               it may not happen, or not now
    ├── ReversedBeforeArrival                       whoever asked has taken it back already
    └── InProgress Busy Unavailable                 try again later, nothing was decided

Services add their own by subclassing. The class names the refusal (`QuotaInsufficient` is
`quota-insufficient` on the wire), the first line of its docstring is the English title.
"""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    status: ClassVar[int]
    title_zh: ClassVar[str]
    retryable: ClassVar[bool] = False
    kept: ClassVar[bool] = True
    """Whether a receipt remembers it: a retry under the same key gets the same refusal."""

    retry_after_seconds: int | None = None

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    @classmethod
    def code(cls) -> str:
        return _kebab(cls.__name__)

    @classmethod
    def title(cls) -> str:
        assert cls.__doc__, f"{cls.__name__} has no docstring to be its title"
        return cls.__doc__.strip().splitlines()[0].rstrip(".")


@cache
def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Invalid(Refusal):
    """The request is malformed."""

    status = 422
    title_zh = "请求格式不正确"
    kept = False


class TooLarge(Refusal):
    """The request body is too large."""

    status = 413
    title_zh = "请求内容过大"
    kept = False


class KeyRequired(Refusal):
    """An Idempotency-Key header is required."""

    status = 422
    title_zh = "缺少幂等键"
    kept = False


class KeyReused(Refusal):
    """The key was used before for a different request."""

    status = 422
    title_zh = "幂等键已用于不同的请求"
    kept = False


class Forbidden(Refusal):
    """The caller may not do this."""

    status = 403
    title_zh = "无权进行此操作"
    kept = False


class NotFound(Refusal):
    """There is no such thing, or it is not the caller's."""

    status = 404
    title_zh = "未找到"
    kept = False


class WrongState(Refusal):
    """The state of the thing does not allow this."""

    status = 409
    title_zh = "当前状态不允许此操作"


class ReversedBeforeArrival(Refusal):
    """The request was reversed before it arrived."""

    status = 409
    title_zh = "该请求在到达前已被冲正"


class InProgress(Refusal):
    """A request with this key is still running."""

    status = 409
    title_zh = "相同幂等键的请求正在处理"
    retryable = True
    kept = False
    retry_after_seconds = 1


class Busy(Refusal):
    """Too many requests are waiting."""

    status = 429
    title_zh = "系统繁忙，请稍后重试"
    retryable = True
    kept = False
    retry_after_seconds = 1


class Unavailable(Refusal):
    """The service cannot answer now; the outcome is settled by retrying with the same key."""

    status = 503
    title_zh = "服务暂不可用，请用相同幂等键重试"
    retryable = True
    kept = False
    retry_after_seconds = 1
