"""The story: three families in five provinces share, are treated, and the provinces settle up.

Public routes and topics only; new people every time, so that it can be told again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from proof.watch import Watcher
from sandbox.institution import Institution
from sandbox.patience import NotAnswered
from sandbox.story.cast import PARTS, Cast, Part, Person, born_on
from sandbox.story.chaos import BETWEEN_CUT_AND_BALANCE, Killer
from sandbox.story.leaving import Leaving
from sandbox.story.levy import ACCEPTED_FEN, Levy
from sandbox.story.months import Months
from sandbox.story.opening import open_wallet, quota_of, set_quota
from sandbox.story.page import write_page
from sandbox.story.pharmacy import Pharmacy
from sandbox.story.record import MonthTold, Shared, Told
from sandbox.story.shares import Share, Shares
from sandbox.story.stay import CHARGED_FEN, TOO_MUCH_FEN, Stay
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import SETTLED_SECONDS, Broken, Town
from sandbox.story.verdict import prove, show, watched
from sandbox.story.visits import (
    ALAR_HOSPITAL,
    BEIJING_HOSPITAL,
    CHENGDU_PHARMACY,
    SHENZHEN_HOSPITAL,
    URUMQI_CLINIC,
    Visits,
)

ALAR_PHARMACY = "P65900200001"
INSTITUTIONS = (
    ALAR_PHARMACY,
    ALAR_HOSPITAL,
    SHENZHEN_HOSPITAL,
    BEIJING_HOSPITAL,
    URUMQI_CLINIC,
    CHENGDU_PHARMACY,
)
GUARDIANS = {"schoolboy": "engineer", "child": "sister"}
FOR_THE_STAY = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    town: Town
    tell: Teller
    institutions: Mapping[str, Institution]
    shares: Shares
    killer: Killer | None

    async def play(self) -> tuple[Cast, list[MonthTold]]:
        """From the first wallet to the closed months. Raises Broken, NotAnswered."""
        cast = await self.meet()
        payment = await Pharmacy(
            town=self.town,
            tell=self.tell,
            pharmacy=self.institutions[ALAR_PHARMACY],
            cast=cast,
            shares=self.shares,
            killer=self.killer,
        ).play()
        await self.stay(cast)
        await self.levy(cast)
        await Visits(
            town=self.town,
            tell=self.tell,
            cast=cast,
            shares=self.shares,
            institutions=self.institutions,
        ).play()
        await Leaving(
            town=self.town,
            tell=self.tell,
            clinic=self.institutions[URUMQI_CLINIC],
            cast=cast,
            shares=self.shares,
        ).play()
        return cast, await self.months(payment)

    async def meet(self) -> Cast:
        tell = self.tell
        tell.chapter("三家三代", "Three families")
        tell.step(
            "十三位虚构的人，五个省级统筹，三代；各自开通医保钱包，儿童由监护人开通",
            "Thirteen made-up people of three generations in five provinces open their wallets; "
            "for the children their guardians do",
        )
        people = await asyncio.gather(*map(self._cast, PARTS))
        cast = {person.part.key: person for person in people}
        await asyncio.gather(*(self._open(cast, person) for person in people))
        tell.table(
            [
                "谁 who",
                "姓名 name",
                "家庭 family",
                "代",
                "岁",
                "险种",
                "参保地 at",
                "余额 balance",
            ],
            [
                [
                    *(each.who, each.citizen.name, each.part.family),
                    *(str(each.part.generation), str(each.part.age), each.part.insutype),
                    each.part.place.shown,
                    yuan(each.part.balance_fen) if each.part.has_account else "—",
                ]
                for each in people
            ],
            right=[3, 4, 7],
        )
        tell.good("人人已开通钱包 · everybody has a wallet (R29)")
        return cast

    async def _cast(self, part: Part) -> Person:
        citizen = await self.town.person(
            insutype=part.insutype,
            insuplc_admdvs=part.pool,
            province=part.place.province,
            balance_fen=part.balance_fen,
            born_on=born_on(part.age),
        )
        return Person(part=part, citizen=citizen)

    async def _open(self, cast: Cast, person: Person) -> None:
        guardian = GUARDIANS.get(person.part.key)
        if guardian is None:
            await open_wallet(person.citizen)
        else:
            await open_wallet(cast[guardian].citizen, child=person.citizen)

    async def stay(self, cast: Cast) -> None:
        """The daughter gives more, and the mother is admitted to hospital."""
        share = self.shares.of("daughter", "mother")
        await set_quota(cast["daughter"].citizen, share.relation_id, FOR_THE_STAY)
        share.available = FOR_THE_STAY
        await Stay(
            town=self.town,
            tell=self.tell,
            hospital=self.institutions[ALAR_HOSPITAL],
            patient=cast["mother"].citizen,
            quota_id=share.quota_id,
        ).play()
        self.shares.spend(share, CHARGED_FEN, "659002", "inpatient")
        self.shares.spend(share, -TOO_MUCH_FEN, "659002", "inpatient")
        await self.shares.agree()

    async def levy(self, cast: Cast) -> None:
        """The daughter pays her mother's premiums of next year."""
        share = self.shares.of("daughter", "mother")
        await Levy(
            town=self.town,
            tell=self.tell,
            asker=cast["daughter"].citizen,
            insured=cast["mother"].citizen,
            quota_id=share.quota_id,
        ).play()
        self.shares.spend(share, ACCEPTED_FEN, "659002", "premium_390")
        await self.shares.agree()

    async def months(self, payment: dict[str, Any]) -> list[MonthTold]:
        """The month is closed, and two more; the son gets back what was returned after the cut."""
        killer = self.killer
        months = await Months(
            town=self.town,
            tell=self.tell,
            clerk=await self.town.clerk("clearing"),
            pharmacy=self.institutions[ALAR_PHARMACY],
            institutions=self.institutions,
            payment=payment,
            shares=self.shares,
            killer=killer.once_more()
            if killer and killer.name in BETWEEN_CUT_AND_BALANCE
            else None,
        ).play()
        await self.shares.agree()
        return months


async def play(file: Path, chaos: str) -> bool:
    """Tell the story on the stack that `file` describes; whether all of it held."""
    tell, page = Teller(), file.with_name("report.html")
    page.unlink(missing_ok=True)  # what another story left would be taken for this one's
    tell.title("共济", "Gongji: mutual aid across provinces, told with real money's rules")
    # trust_env: a proxy of the machine has no business between the parts of a stack.
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        town = Town.at(file, client)
        if chaos and chaos not in town.names():
            tell.bad(f"CHAOS={chaos} is none of {', '.join(town.names())}")
            return False
        try:
            told = await tell_and_prove(
                town, tell, Killer(town=town, name=chaos) if chaos else None
            )
        except (Broken, NotAnswered) as broken:
            tell.bad(str(broken))
            return False
    show(tell, told.results)
    write_page(told, page)
    tell.good(f"全部经过见此页 · the whole of it on a page: {page.resolve().as_uri()}")
    for number, chapter in enumerate(told.chapters, start=1):
        tell.note(f"{number}  {chapter.seconds:5.1f} s  {chapter.zh} {chapter.en}")
    return all(result.ok for result in told.results)


async def tell_and_prove(town: Town, tell: Teller, killer: Killer | None) -> Told:
    """The story, and what the proofs say of it. Raises Broken, NotAnswered."""
    institutions = {code: town.institution(code) for code in INSTITUTIONS}
    shares = Shares(town=town, tell=tell)
    async with Watcher(town.stack["databases"]["wallet"]) as watcher:
        cast, months = await Scenario(
            town=town, tell=tell, institutions=institutions, shares=shares, killer=killer
        ).play()
        tell.chapter("不变量", "Invariants")
        results = await prove(town, tuple(institutions.values()))
        async with asyncio.timeout(SETTLED_SECONDS):
            await watcher.another()
        shared = [await seen_in_the_end(share) for share in shares.made]
    tell.end()
    return Told(
        ended_at=datetime.now(UTC),
        people=tuple(cast.values()),
        shares=shared,
        months=months,
        institutions={
            code: (each.name, each.level, each.mdtrtarea_admvs)
            for code, each in institutions.items()
        },
        chapters=tell.chapters,
        results=[*results, watched(watcher)],
    )


async def seen_in_the_end(share: Share) -> Shared:
    return Shared(
        sharer=share.sharer,
        beneficiary=share.beneficiary,
        kind=share.kind,
        quota=await quota_of(share.sharer.citizen, share.quota_id),
    )
