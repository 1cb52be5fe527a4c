"""Stories of relations that end, on real processes, PostgreSQL and Kafka."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support.town import Town
from tests.support.town_families import family_of
from tests.support.town_until import until


@pytest.mark.rule("R3")
@pytest.mark.rule("R6")
async def test_what_is_unused_is_back_in_the_account_when_a_relation_ends(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          proposed
        decline   R1   by MA                       declined
        decline   R1   by WANG                     wrong-state
        relation  R1   WANG -> MA  parent          active
        relation  R2   WANG -> MA  parent          relation-exists
        quota     Q1   of R1       300.00          granted
        pay       P1   MA at alar   50.00          captured
        account   WANG balance 950.00  frozen 250.00  spendable 700.00

        end       R1   by MA                       ended
        end       R1   by WANG                     wrong-state
        quota     Q1   available 0.00  held 0.00  spent 50.00  granted 300.00
        account   WANG balance 950.00  frozen 0.00  spendable 950.00
        pay       P2   MA at alar   0.01           quota-insufficient
        quota     Q1                10.00          relation-not-active
        owes      440300 -> 659002  50.00

        relation  R3   WANG -> MA  parent          active
        quota     Q3   of R3       100.00          granted
        pay       P3   MA at alar  100.00          captured
    """)


@pytest.mark.rule("R32")
async def test_a_hold_outlives_its_relation(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       300.00          granted
        hold      H1   MA at hospital  200.00      held
        hold      H2   MA at hospital   40.00      held
        end       R1   by WANG                     ended
        quota     Q1   available 0.00  held 240.00  spent 0.00
        account   WANG balance 1000.00  frozen 240.00  spendable 760.00
        hold      H3   MA at hospital    0.01      quota-insufficient
        capture   H1                    150.00     captured
        release   H2                               released
        quota     Q1   available 0.00  held 0.00  spent 150.00
        account   WANG balance 850.00  frozen 0.00  spendable 850.00
    """)


@pytest.mark.rule("R5")
async def test_an_insurance_suspends_resumes_and_ends_a_relation(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    LIU  at chengdu  employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        relation  R2   LIU  -> MA  parent          active
        quota     Q1   of R1       100.00          granted
        quota     Q2   of R2       100.00          granted
        insured   WANG suspended
        becomes   R1   suspended
        pay       P1   MA at alar  100.01          quota-insufficient
        quota     Q1               200.00          relation-not-active
        quota     Q1                90.00          lowered
        insured   WANG active
        becomes   R1   active
        pay       P2   MA at alar   90.00          captured

        insured   LIU  moved
        becomes   R2   ended
        account   LIU  balance 1000.00  frozen 0.00  spendable 1000.00
        insured   MA   suspended
        becomes   R1   suspended
        pay       P3   MA at alar    0.01          not-insured
        insured   MA   ended
        becomes   R1   ended
        account   WANG balance 910.00  frozen 0.00  spendable 910.00
    """)


@pytest.mark.rule("R36")
async def test_after_a_death_what_is_held_may_be_captured_and_nothing_else(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       100.00          granted
        hold      H1   MA at hospital  60.00       held
        insured   MA   deceased
        becomes   R1   ended
        pay       P1   MA at alar    0.01          not-insured
        capture   H1                 60.00         captured
        quota     Q1   available 0.00  held 0.00  spent 60.00
        account   WANG balance 940.00  frozen 0.00  spendable 940.00
    """)


@pytest.mark.rule("R26")
async def test_a_registration_that_ran_out_is_asked_for(town: Town) -> None:
    await town.tell("""
        person    WANG at shenzhen employee 1000.00
        person    MA   at alar
        relation  R1   WANG -> MA  parent          active
        quota     Q1   of R1       100.00          granted
        registered MA  until 2026-01-02
        pay       P1   MA at alar   10.00          registration-required
        registered MA  until 2099-12-31
        pay       P2   MA at alar   10.00          captured
    """)


@pytest.mark.rule("R13")
async def test_where_an_area_wants_it_the_province_says_whether_they_are_relatives(
    town: Town,
) -> None:
    await town.tell("""
        person    LIU  at mianyang employee 100.00
        person    MA   at alar
        relation  R1   LIU  -> MA  parent          active
        quota     Q1   of R1        10.00          granted
        person    SUN  at mianyang employee 100.00
        province  sichuan kinship no
        relation  R2   SUN  -> MA  parent          declined
        province  sichuan kinship yes
        relation  R3   SUN  -> MA  parent          active
    """)


@pytest.mark.rule("R27")
async def test_an_institution_is_enabled_and_disabled_by_its_province(town: Town) -> None:
    family, counter = await family_of(town), town.counter("hospital")
    token = await counter.token(family.beneficiary)
    told = {
        "fixmedins_code": counter.code,
        "name": "阿拉尔示例医院",
        "kind": "hospital",
        "level": "3",
        "admdvs": "659002",
        "active": True,
        "from": "2026-01-01",
    }

    async def says(code: str) -> bool:
        return (await counter.pay(token, 1)).code == code

    for enabled, code in ((False, "institution-not-enabled"), (True, "")):
        body = {**told, "wallet_enabled": enabled}
        await town.world.ask("POST", "/provinces/660000/institutions", body)
        await until(partial(says, code), f"the counter is told {code or 201}")
