"""Stories in the clerk's words, on real processes, PostgreSQL and Kafka."""

from __future__ import annotations

import pytest

from tests.support.town import Town


async def test_a_pharmacy_bill_paid_by_two_sharers(town: Town) -> None:
    await town.tell("""
        person   WANG at shenzhen employee 1000.00
        person   LIU  at chengdu  employee  500.00
        person   MA   at alar
        relation R1   WANG -> MA  parent          active
        relation R2   LIU  -> MA  parent          active
        quota    Q1   of R1       100.00          granted
        quota    Q2   of R2        80.00          granted
        account  WANG balance 1000.00  frozen 100.00  spendable 900.00

        pay      P1   MA at alar   30.00          captured
        given    P1   Q1 30.00
        pay      P2   MA at alar   90.00          captured
        given    P2   Q1 70.00  Q2 20.00
        pay      P3   MA at alar   60.01          quota-insufficient
        pay      P2                               replayed
        pay      P3                               replayed
        pay      P4   MA at hospital  60.00       captured

        quota    Q1   available 0.00  held 0.00  spent 100.00  granted 100.00
        quota    Q2   available 0.00  held 0.00  spent 80.00   granted 80.00
        account  WANG balance 900.00  frozen 0.00  spendable 900.00
        account  LIU  balance 420.00  frozen 0.00  spendable 420.00
        owes     440300 -> 659002     100.00
        owes     510100 -> 659002      80.00
    """)


async def test_a_hospital_holds_and_charges_less(town: Town) -> None:
    await town.tell("""
        person   WANG at shenzhen employee 1000.00
        person   LIU  at chengdu  employee  500.00
        person   MA   at alar
        relation R1   WANG -> MA  parent          active
        relation R2   LIU  -> MA  parent          active
        quota    Q1   of R1       100.00          granted
        quota    Q2   of R2        80.00          granted

        hold     H1   MA at hospital  120.00      held
        given    H1   Q1 100.00  Q2 20.00
        hold     H2   MA at hospital   60.00      held
        hold     H3   MA at hospital    0.01      quota-insufficient
        quota    Q2   available 0.00  held 80.00  spent 0.00  granted 80.00
        account  LIU  balance 500.00  frozen 80.00  spendable 420.00

        capture  H1                   120.01      capture-exceeds-hold
        capture  H1                    70.00      captured
        capture  H1                     0.01      payment-not-held
        release  H2                               released
        release  H2                               payment-not-held

        quota    Q1   available 30.00  held 0.00  spent 70.00  granted 100.00
        quota    Q2   available 80.00  held 0.00  spent 0.00   granted 80.00
        account  WANG balance 930.00  frozen 30.00  spendable 900.00
        owes     440300 -> 659002      70.00
        owes     510100 -> 659002       0.00

        refund   H1                    20.00      captured
        refund   H1                    50.01      refund-exceeds-capture
        account  WANG balance 950.00  frozen 50.00  spendable 900.00
        refund   H1                    50.00      refunded
        refund   H2                     0.01      payment-not-captured
        account  WANG balance 1000.00  frozen 100.00  spendable 900.00
        hold     H4   MA at hospital  180.00      held
    """)


async def test_a_province_that_refuses_gives_nothing(town: Town) -> None:
    await town.tell("""
        person   WANG at shenzhen employee 100.00
        person   MA   at alar
        relation R1   WANG -> MA parent           active
        quota    Q1   of R1       100.01          refused
        quota    Q1   available 0.00  held 0.00  spent 0.00  granted 0.00
        pay      P1   MA at alar    0.01          quota-insufficient
        account  WANG balance 100.00  frozen 0.00  spendable 100.00

        quota    Q1                60.00          granted
        quota    Q1               100.01          refused
        quota    Q1   available 60.00  held 0.00  spent 0.00  granted 60.00
        account  WANG balance 100.00  frozen 60.00  spendable 40.00
        pay      P2   MA at alar   60.00          captured
        owes     440300 -> 659002   60.00
    """)


async def test_a_province_in_a_bad_mood_refuses_what_it_could_give(town: Town) -> None:
    await town.tell("""
        person   SUN  at beijing employee 100.00
        person   MA   at alar
        relation R1   SUN -> MA parent            active
        province beijing freeze refuse
        quota    Q1   of R1        10.00          refused
        province beijing freeze confirm
        quota    Q1                10.00          granted
    """)


async def test_lowering_returns_what_is_not_spent(town: Town) -> None:
    await town.tell("""
        person   WANG at shenzhen employee 500.00
        person   MA   at alar
        relation R1   WANG -> MA parent           active
        quota    Q1   of R1       200.00          granted
        pay      P1   MA at alar   50.00          captured
        quota    Q1                20.00          lowered
        quota    Q1   available 20.00  held 0.00  spent 50.00
        account  WANG balance 450.00  frozen 20.00  spendable 430.00
        pay      P2   MA at alar   20.01          quota-insufficient
        pay      P3   MA at alar   20.00          captured
        quota    Q1               100.00          granted
        quota    Q1   available 100.00  held 0.00  spent 70.00
        account  WANG balance 430.00  frozen 100.00  spendable 330.00
        owes     440300 -> 659002  70.00
    """)


async def test_what_may_not_be_paid_is_refused_by_name(town: Town) -> None:
    await town.tell("""
        person   MA   at alar
        quota    Q1   from guangdong  100.00              granted
        pay      P1   MA at alar       50.00 of 40.00     exceeds-personal-burden
        relation R2   MA -> MA parent                     kind-not-eligible
        quota    Q1   available 100.00  held 0.00  spent 0.00
    """)


async def test_a_table_says_at_which_line_it_fails(town: Town) -> None:
    with pytest.raises(AssertionError, match=r"^line 3: pay +P1 .*\n.*quota-insufficient"):
        await town.tell("""
            person   MA   at alar
            pay      P1   MA at alar  10.00               captured
        """)
