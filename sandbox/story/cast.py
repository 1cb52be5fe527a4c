"""Who plays: three families of three generations, in five provinces.

Everybody is made up, and new each time; what stays is their part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sandbox.citizen import Citizen

EMPLOYEE = "310"
CHILDREN_UP_TO = 14
BEIJING, GUANGDONG, SICHUAN, XINJIANG, XPCC = "110000", "440000", "510000", "650000", "660000"

PROVINCES = {
    BEIJING: ("北京", "Beijing"),
    GUANGDONG: ("广东", "Guangdong"),
    SICHUAN: ("四川", "Sichuan"),
    XINJIANG: ("新疆", "Xinjiang"),
    XPCC: ("兵团", "XPCC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pooling area, and the province that runs it."""

    code: str
    province: str
    zh: str
    en: str

    @property
    def shown(self) -> str:
        return f"{self.code} {self.zh}"


PLACES = {
    place.code: place
    for place in (
        Place(code="110000", province=BEIJING, zh="北京", en="Beijing"),
        Place(code="440100", province=GUANGDONG, zh="广州", en="Guangzhou"),
        Place(code="440300", province=GUANGDONG, zh="深圳", en="Shenzhen"),
        Place(code="510100", province=SICHUAN, zh="成都", en="Chengdu"),
        Place(code="650100", province=XINJIANG, zh="乌鲁木齐", en="Urumqi"),
        Place(code="659002", province=XPCC, zh="阿拉尔", en="Alar"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Somebody as the script has them; `balance_fen` is for those who have an account."""

    key: str
    zh: str
    en: str
    family: str
    generation: int
    age: int
    insutype: str
    pool: str
    balance_fen: int = 0

    @property
    def place(self) -> Place:
        return PLACES[self.pool]

    @property
    def who(self) -> str:
        return f"{self.zh} {self.en}"

    @property
    def is_of_age(self) -> bool:
        """Whether they consent in person, or a guardian does for them (R13)."""
        return self.age > CHILDREN_UP_TO

    @property
    def has_account(self) -> bool:
        return self.insutype == EMPLOYEE


FAMILIES = {"A": "阿拉尔 Alar", "C": "成都 Chengdu", "U": "乌鲁木齐 Urumqi"}

# key, 谁, who, family, generation, age, scheme (310 employee, 390 resident), pool, account in fen
SCRIPT = """
    mother       母亲      mother          A  1  68  390  659002        0
    daughter     女儿      daughter        A  2  43  310  440300  500 000
    son          儿子      son             A  2  40  310  510100   80 000
    student      外孙      student         A  3  20  390  110000        0
    father       父亲      father          C  1  71  310  510100   12 000
    wife         老伴      his wife        C  1  69  390  510100        0
    engineer     工程师    engineer        C  2  38  310  440300  450 000
    schoolboy    小学生    schoolboy       C  3  10  390  510100        0
    grandfather  祖父      grandfather     U  1  74  310  650100  150 000
    teacher      教师      teacher         U  2  49  310  110000  220 000
    sister       姐姐      elder sister    U  3  26  310  440100   90 000
    brother      哥哥      elder brother   U  3  24  310  510100   70 000
    child        幼妹      little sister   U  3   9  390  650100        0
"""


def read_script(script: str) -> tuple[Part, ...]:
    """The parts of a table whose columns are two blanks apart."""
    rows = [re.split(r" {2,}", line.strip()) for line in script.strip().splitlines()]
    return tuple(
        Part(
            key=key,
            zh=zh,
            en=en,
            family=FAMILIES[family],
            generation=int(generation),
            age=int(age),
            insutype=insutype,
            pool=pool,
            balance_fen=int(balance.replace(" ", "")),
        )
        for key, zh, en, family, generation, age, insutype, pool, balance in rows
    )


PARTS = read_script(SCRIPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A part, and who plays it this time."""

    part: Part
    citizen: Citizen

    @property
    def who(self) -> str:
        return self.part.who


Cast = dict[str, Person]
"""Part's key → who plays it."""


def born_on(age: int) -> date:
    """A day in the year in which somebody turns that old."""
    return date(datetime.now(UTC).year - age, 1, 1)


def province_named(code: str) -> str:
    """As tables show it; also of provinces that have no part."""
    return f"{code} {PROVINCES.get(code, ('', ''))[0]}".rstrip()
