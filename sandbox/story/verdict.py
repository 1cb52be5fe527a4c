"""The verdict: the invariants over databases, topics, accounts and answers, and how they look."""

from __future__ import annotations

from collections.abc import Sequence

from proof.report import Result, check_stack
from proof.rows import Exchange
from proof.watch import Watcher
from sandbox.institution import Institution
from sandbox.story.teller import Teller
from sandbox.story.town import SETTLED_SECONDS, Town


def watched(watcher: Watcher) -> Result:
    """I3 and I4 again, in every snapshot while the story went on, its kill included."""
    seen = f"{watcher.snapshots} snapshots"
    return Result(
        id="I3 I4",
        title_en="conservation at every moment, not only in the end",
        title_zh="过程中每一刻都守恒",
        ok=not watcher.violations,
        detail="; ".join([*watcher.violations[:3], seen]),
    )


async def prove(town: Town, institutions: Sequence[Institution]) -> list[Result]:
    """The invariants over databases, topics and accounts, and what institutions were answered."""
    history = [
        Exchange(
            caller=institution.code,
            key=key,
            status=reply.status,
            body=reply.text,
            replayed=reply.replayed,
        )
        for institution in institutions
        for key, reply in institution.exchanges
        if "payment_id" in reply.text
    ]
    logs = town.file.parent / "log"
    return await check_stack(
        town.stack,
        history,
        logs=logs if logs.exists() else None,
        settled_seconds=SETTLED_SECONDS,
    )


def show(tell: Teller, results: Sequence[Result]) -> None:
    tell.step("逐条核对", "What holds, computed from databases, topics and provincial accounts")
    tell.table(
        ["", "", "不变量 invariant", "看了什么 looked at"],
        [
            ["✓" if each.ok else "✗", each.id, f"{each.title_zh}\n{each.title_en}", each.detail]
            for each in results
        ],
    )
    broken = [each.id for each in results if not each.ok]
    if broken:
        tell.bad(f"不成立 broken: {', '.join(broken)}")
    else:
        tell.good("全部成立 · all of them hold")
