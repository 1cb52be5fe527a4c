"""The rules of relations without a database: order of messages, names, who stands for a person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.vocabulary import Insutype
from kit.answers import Answer
from policy.policy import Policy
from relations.domain.commands import RecordEnrolment
from relations.domain.decisions import Decision, Unheard, unheard
from relations.domain.names import comparable
from relations.domain.people import Enrolment, Identity, People, derived_person_id
from relations.domain.record_enrolment import record_enrolment
from relations.domain.relation import Relations

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
POLICY = Policy.load()
IDENTITY = Identity(
    psn_cert_type="01",
    blind_index=b"b" * 32,
    name_index=b"n" * 32,
    key_id="1",
    nonce=b"0" * 12,
    ciphertext=b"c" * 40,
    born_on=None,
)
PERSON = derived_person_id(IDENTITY)
Status = Literal["active", "suspended", "ended", "moved"]


def told(
    day: int, minute: int, status: Status, insutype: Insutype = Insutype.EMPLOYEE
) -> RecordEnrolment:
    return RecordEnrolment(
        province="440000",
        pool_admdvs="440300",
        psn_no="1",
        insutype=insutype,
        status=status,
        since=date(2026, 1, 1) + timedelta(days=day),
        told_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=minute),
        reason=None,
        identity=IDENTITY,
        person_id=PERSON,
    )


messages = st.lists(
    st.builds(
        told,
        st.integers(0, 3),
        st.integers(0, 10_000),
        st.sampled_from(["active", "suspended", "ended", "moved"]),
        st.sampled_from([Insutype.EMPLOYEE, Insutype.RESIDENT]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda message: message.told_at,
)


def recorded(people: People, message: RecordEnrolment) -> Decision:
    return record_enrolment(people, Relations(), message, POLICY, now=NOW, today=TODAY)


def after(delivered: list[RecordEnrolment]) -> tuple[People, int]:
    """What is known after these messages, and how many events were told."""
    people = People(locked={PERSON})
    events = 0
    for message in delivered:
        decision = recorded(people, message)
        assert isinstance(decision.answer, Answer)
        assert decision.answer.status == 200
        events += len(decision.events)
    return people, events


@given(messages, st.randoms(use_true_random=False))
def test_in_whatever_order_and_however_often_messages_come_the_end_is_the_same(
    sent: list[RecordEnrolment], random: Random
) -> None:
    in_order, _ = after(sorted(sent, key=lambda message: message.told_at))
    shuffled = [*sent, *sent]
    random.shuffle(shuffled)
    out_of_order, events = after(shuffled)
    one, other = in_order.person(PERSON), out_of_order.person(PERSON)
    assert one is not None
    assert other is not None
    assert set(one.enrolments) == set(other.enrolments)
    assert one.primary == other.primary
    assert other.version == events, "each version is told, and nothing else"


@given(messages)
def test_what_was_heard_before_changes_nothing(sent: list[RecordEnrolment]) -> None:
    people, _ = after(sent)
    before = people.person(PERSON)
    for message in sent:
        assert recorded(people, message).events == ()
    assert people.person(PERSON) == before


def enrolled(
    insutype: Insutype, status: Status, day: int = 0, pool_admdvs: str = "440300"
) -> Enrolment:
    return Enrolment(
        insutype=insutype,
        pool_admdvs=pool_admdvs,
        psn_no="1",
        status=status,
        since=date(2026, 1, 1) + timedelta(days=day),
        told_at=datetime(2026, 11, 1, tzinfo=UTC),
        reason=None,
    )


@pytest.mark.parametrize(
    ("stands", "stands_back"),
    [
        (enrolled(Insutype.EMPLOYEE, "active"), enrolled(Insutype.RESIDENT, "active", 9)),
        (enrolled(Insutype.RESIDENT, "active"), enrolled(Insutype.EMPLOYEE, "suspended", 9)),
        (enrolled(Insutype.RESIDENT, "ended"), enrolled(Insutype.LONG_TERM_CARE, "active", 9)),
        (enrolled(Insutype.EMPLOYEE, "ended"), enrolled(Insutype.RETIRED_CADRE, "active", 9)),
        (
            enrolled(Insutype.EMPLOYEE, "active", 9),
            enrolled(Insutype.EMPLOYEE, "active", 0, "110000"),
        ),
        (enrolled(Insutype.EMPLOYEE, "ended", 9), enrolled(Insutype.RESIDENT, "ended", 10)),
    ],
)
def test_which_enrolment_stands_for_a_person(stands: Enrolment, stands_back: Enrolment) -> None:
    for pair in ((stands, stands_back), (stands_back, stands)):
        assert max(pair, key=lambda enrolment: enrolment.rank) is stands


def test_only_active_employees_and_residents_take_part() -> None:
    taking_part = {
        (insutype, status)
        for insutype in Insutype
        for status in ("active", "suspended", "ended", "moved")
        if enrolled(insutype, status).insured
    }
    assert taking_part == {(Insutype.EMPLOYEE, "active"), (Insutype.RESIDENT, "active")}


def test_nobody_changes_whose_lock_is_not_held() -> None:
    people, _ = after([told(0, 0, "active")])
    people.locked = ()
    decision = recorded(people, told(1, 1, "ended"))
    assert decision == unheard(Unheard.UNKNOWN_PERSON)


def test_an_id_comes_from_the_certificate_alone() -> None:
    assert derived_person_id(IDENTITY) == PERSON
    assert isinstance(PERSON, UUID)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张三", " 张 三 "),
        ("买买提·阿不都", "买买提•阿不都"),
        ("买买提·阿不都", "买买提.阿不都"),
        ("买买提·阿不都", "买买提・阿不都"),
        ("John Smith", "JOHN  SMITH"),
        ("Ｊｏｈｎ", "john"),
    ],
)
def test_one_name_may_be_typed_in_more_than_one_way(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


def test_different_names_stay_different() -> None:
    names = ["张三", "张山", "张三丰", "买买提阿不都", "买买提·阿不都"]
    assert len({comparable(name) for name in names}) == len(names)
