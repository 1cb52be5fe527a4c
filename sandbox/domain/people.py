"""Made-up people: names that nobody bears, and identity numbers of an area that does not exist."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from gm.identity_number import IDENTITY_CARD, check_digit

AREA = "990000"
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_CYCLE = [_STEMS[n % 10] + _BRANCHES[n % 12] for n in range(60)]
_SEQUENCES = 1000


class DayIsFull(Exception):
    """All identity numbers of one day of birth are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    psn_no: str
    province: str
    insuplc_admdvs: str
    insutype: str
    psn_cert_type: str
    cert_no: str
    name: str
    born_on: date
    retired: bool


def made_up_name(number: int) -> str:
    """A recognisable name: 示例·甲子甲子, 示例·甲子乙丑, …; one comes again after 216 000."""
    assert number >= 0
    high, middle, low = number // 3600 % 60, number // 60 % 60, number % 60
    return "示例·" + "".join(_CYCLE[n] for n in ((high, middle, low) if high else (middle, low)))


def made_up_number(born_on: date, taken: Collection[str], chance: random.Random) -> str:
    """An identity number of that day, with its checksum, not yet taken. Raises DayIsFull."""
    day = AREA + born_on.strftime("%Y%m%d")
    free = [
        number
        for sequence in range(_SEQUENCES)
        if (number := _with_check_digit(f"{day}{sequence:03}")) not in taken
    ]
    if not free:
        raise DayIsFull(born_on.isoformat())
    return chance.choice(free)


def _with_check_digit(first_17: str) -> str:
    return first_17 + check_digit(first_17)


def made_up_birthday(today: date, *, retired: bool, chance: random.Random) -> date:
    """A day that makes an adult of today: of working age, or retired."""
    youngest, oldest = (61, 85) if retired else (25, 55)
    born_in = today.year - chance.randint(youngest, oldest)
    return date(born_in, chance.randint(1, 12), chance.randint(1, 28))


def made_up_person(
    *,
    number: int,
    province: str,
    insuplc_admdvs: str,
    insutype: str,
    born_on: date,
    retired: bool,
    taken: Collection[str],
    chance: random.Random,
) -> Person:
    """The `number`th person of this world; `taken` are the identity numbers of that birthday."""
    return Person(
        psn_no=f"{insuplc_admdvs}{chance.randrange(10**20):020}",
        province=province,
        insuplc_admdvs=insuplc_admdvs,
        insutype=insutype,
        psn_cert_type=IDENTITY_CARD,
        cert_no=made_up_number(born_on, taken, chance),
        name=made_up_name(number),
        born_on=born_on,
        retired=retired,
    )
