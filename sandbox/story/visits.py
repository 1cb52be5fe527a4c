"""Relatives all over the country: who shares with whom, and where each of them is treated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.institution import Institution
from sandbox.story.cast import PLACES, Cast, Person
from sandbox.story.counter import bill_of, prove_presence
from sandbox.story.opening import succeeded
from sandbox.story.shares import Shares
from sandbox.story.teller import Teller, yuan
from sandbox.story.town import Town, expect

ALAR_HOSPITAL, SHENZHEN_HOSPITAL = "H65900200001", "H44030000001"
BEIJING_HOSPITAL, URUMQI_CLINIC = "H11010000001", "H65010000001"
CHENGDU_PHARMACY = "P51010000001"

LEVELS = {"1": "一级", "2": "二级", "3": "三级", "ungraded": "药店"}

RELATIONS = (
    ("daughter", "student", "child", 120_000),
    ("grandfather", "mother", "paired_household", 12_000),
    ("engineer", "father", "parent", 100_000),
    ("engineer", "wife", "parent", 60_000),
    ("engineer", "schoolboy", "child", 30_000),
    ("sister", "child", "sibling", 8_000),
    ("brother", "child", "sibling", 20_000),
    ("grandfather", "child", "sons_child", 15_000),
    ("teacher", "grandfather", "parent", 50_000),
)
"""Sharer, beneficiary, what the latter is to the former, and the quota in fen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """`fund` is what the pooled fund pays, `own` the own account, `given` each sharer; in fen."""

    patient: str
    at: str
    purpose: str
    total: int
    fund: int = 0
    own: int = 0
    given: tuple[tuple[str, int], ...]

    @property
    def aid(self) -> int:
        return sum(amount for _, amount in self.given)


PAIRED_HOUSEHOLD = Visit(
    patient="mother",
    at=ALAR_HOSPITAL,
    purpose="outpatient",
    total=30_000,
    fund=16_500,
    given=(("grandfather", 12_000),),
)
STUDENT = Visit(
    patient="student",
    at=BEIJING_HOSPITAL,
    purpose="outpatient",
    total=42_000,
    fund=27_300,
    given=(("daughter", 14_700),),
)
GRANDFATHER = Visit(
    patient="grandfather",
    at=URUMQI_CLINIC,
    purpose="outpatient",
    total=24_000,
    fund=18_000,
    own=2_000,
    given=(("teacher", 4_000),),
)
WIFE = Visit(
    patient="wife",
    at=CHENGDU_PHARMACY,
    purpose="pharmacy",
    total=8_650,
    given=(("engineer", 8_650),),
)
SCHOOLBOY = Visit(
    patient="schoolboy",
    at=CHENGDU_PHARMACY,
    purpose="pharmacy",
    total=3_280,
    given=(("engineer", 3_280),),
)
DIAGONAL = Visit(
    patient="father",
    at=SHENZHEN_HOSPITAL,
    purpose="outpatient",
    total=68_000,
    fund=37_400,
    own=5_600,
    given=(("engineer", 25_000),),
)
TWO_SIBLINGS = Visit(
    patient="child",
    at=URUMQI_CLINIC,
    purpose="outpatient",
    total=80_000,
    fund=60_000,
    given=(("sister", 8_000), ("brother", 12_000)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    town: Town
    tell: Teller
    cast: Cast
    shares: Shares
    institutions: Mapping[str, Institution]

    async def play(self) -> None:
        """Nine relations, seven visits in five provinces. Raises Broken, NotAnswered."""
        self.tell.chapter("五省亲人", "Relatives in five provinces")
        await self.relations()
        await self.in_an_order_of_ones_own()
        await self.elsewhere()
        await self.the_diagonal()
        await self.two_siblings()
        await self.agree()

    async def relations(self) -> None:
        self.tell.step(
            "三代人互助：父母子女、兄姐、祖孙、结亲户；未满 16 岁由共济的亲人代为同意（R13）",
            "Three generations: parents and children, siblings, a grandchild, a paired household; "
            "for who is under sixteen the relative who shares consents",
        )
        by_beneficiary: dict[str, list[tuple[str, str, str, int]]] = {}
        for relation in RELATIONS:
            by_beneficiary.setdefault(relation[1], []).append(relation)
        await asyncio.gather(*map(self._one_by_one, by_beneficiary.values()))
        made = [self.shares.of(sharer, beneficiary) for sharer, beneficiary, *_ in RELATIONS]
        self.shares.table(made)
        await self.shares.agree()
        self.tell.good("各省均已冻结，儿童由监护人同意 · frozen by every province")

    async def _one_by_one(self, relations: list[tuple[str, str, str, int]]) -> None:
        # Relations of one beneficiary give in the order of their age.
        for sharer, beneficiary, kind, available in relations:
            await self.shares.make(self.cast[sharer], self.cast[beneficiary], kind, available)

    async def in_an_order_of_ones_own(self) -> None:
        self.tell.step(
            "母亲指定先用结亲户的额度（新疆与兵团的地方关系），再去阿拉尔三级医院门诊",
            "The mother says that the paired household (a kind of Xinjiang and the XPCC) gives "
            "first, and sees a doctor at a hospital of level 3 in Alar",
        )
        first = self.shares.of("grandfather", "mother")
        ordered = await self.cast["mother"].citizen.put(
            "/v1/me/quotas/order", {"quota_ids": [first.quota_id]}
        )
        succeeded(ordered, 200, "ordering the quotas")
        await self.see(PAIRED_HOUSEHOLD)
        self.tell.good("按本人指定的顺序扣减 · in the order that the beneficiary wants (R12)")

    async def elsewhere(self) -> None:
        self.tell.step(
            "各自就医：二级、一级医院与药店；先用本人账户，再用亲人的额度，余下付现金",
            "Hospitals of levels 2 and 1, a pharmacy: the own account first, then the "
            "relative's quota, then cash",
        )
        await self.see(STUDENT, GRANDFATHER, WIFE, SCHOOLBOY)

    async def the_diagonal(self) -> None:
        self.tell.step(
            "对角线：成都参保的父亲在深圳就医，由在深圳工作的女儿支付；债务不出广东",
            "The diagonal: the father, insured in Chengdu, is treated in Shenzhen and paid for by "
            "his daughter there; what is owed stays inside Guangdong",
        )
        [payment] = await self.see(DIAGONAL)
        places = (
            payment["mdtrtarea_admvs"],
            payment["insuplc_admdvs"],
            payment["allocations"][0]["sharer_admdvs"],
        )
        expect(places == ("440300", "510100", "440300"), f"three places, never mixed: {places}")
        self.tell.good(
            f"就医地 {places[0]}，参保地 {places[1]}，共济人 {places[2]} · "
            "three places, kept apart (R15, R18)"
        )

    async def two_siblings(self) -> None:
        self.tell.step(
            "两位兄姐共济一个孩子：姐姐的额度用完，再用哥哥的",
            "Two siblings share with one child: the sister's quota is used up, then the brother's",
        )
        await self.see(TWO_SIBLINGS)

    async def agree(self) -> None:
        self.tell.step(
            "各省扣减完毕，账户与额度逐一相符",
            "Every province has debited; each account and each quota is as it has to be",
        )
        accounts = await self.shares.agree()
        self.tell.table(
            ["账户 account", "参保地", "余额 balance", "冻结 frozen", "可用 spendable"],
            [
                [
                    *(self.cast[key].who, self.cast[key].part.place.shown),
                    *(yuan(each.balance_fen), yuan(each.frozen_fen), yuan(each.spendable_fen)),
                ]
                for key, each in accounts.items()
            ],
            right=[2, 3, 4],
        )

    async def see(self, *visits: Visit) -> list[dict[str, Any]]:
        """Each visit paid for as it has to be, and a table of them."""
        paid = [await self._one(visit) for visit in visits]
        self.tell.table(
            ["谁 who", "何处 at", "总额 bill", "基金 fund", "本人 own", "共济 aid", "现金 cash"],
            [
                [
                    self.cast[visit.patient].who,
                    self._place(visit),
                    *self._amounts(visit, payment["receipt"]),
                ]
                for visit, payment in zip(visits, paid, strict=True)
            ],
            right=[2, 3, 4, 5, 6],
        )
        for visit in visits:
            gave = " + ".join(f"{self.cast[key].who} {yuan(fen)}" for key, fen in visit.given)
            self.tell.note(f"{self.cast[visit.patient].part.zh} ← {gave}")
        return paid

    async def _one(self, visit: Visit) -> dict[str, Any]:
        patient, institution = self.cast[visit.patient], self.institutions[visit.at]
        payment = await charge(self.town, institution, patient, visit)
        quotas = {self.shares.of(key, visit.patient).quota_id: fen for key, fen in visit.given}
        given = {each["quota_id"]: each["amount_fen"] for each in payment["allocations"]}
        expect(given == quotas, f"{patient.who} is given {visit.given}, not {given}")
        self.shares.spend_by(given, payment["mdtrtarea_admvs"], visit.purpose)
        receipt = payment["receipt"]
        cash = visit.total - visit.fund - visit.own - visit.aid
        expect(receipt["psn_cash_pay_fen"] == cash, f"{cash} is left to pay: {receipt}")
        return payment

    def _place(self, visit: Visit) -> str:
        institution = self.institutions[visit.at]
        place = PLACES[institution.mdtrtarea_admvs]
        return f"{place.zh} {LEVELS[institution.level]} {visit.purpose}"

    def _amounts(self, visit: Visit, receipt: dict[str, int]) -> list[str]:
        own = receipt["acct_pay_fen"] - receipt["acct_mulaid_pay_fen"]
        expect(own == visit.own, f"the own account pays {visit.own}: {receipt}")
        return [
            yuan(receipt["medfee_sumamt_fen"]),
            yuan(receipt["fund_pay_sumamt_fen"]),
            yuan(own),
            yuan(receipt["acct_mulaid_pay_fen"]),
            yuan(receipt["psn_cash_pay_fen"]),
        ]


async def charge(
    town: Town, institution: Institution, patient: Person, visit: Visit
) -> dict[str, Any]:
    """Presence and payment in one step; the payment."""
    presence = await prove_presence(town, institution, patient.citizen)
    asked = {
        "presence_token": presence["presence_token"],
        "purpose": visit.purpose,
        "bill": bill_of(visit.purpose, visit.total, fund_fen=visit.fund, own_fen=visit.own),
        "amount_fen": visit.aid,
    }
    payment: dict[str, Any] = succeeded(
        await institution.post("/v1/payments", asked), 201, f"{patient.who} pays"
    )
    expect(payment["state"] == "captured", f"paid in one step: {payment['state']}")
    return payment
