"""Many requests at once: none is busy, none counts twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.blackbox.until import until
from tests.blackbox.world import GUANGDONG, Answer, Counter, Family, World, new_key


def at_once(count: int, ask: Callable[[int], Answer]) -> list[Answer]:
    """Ask `count` times at the same moment."""
    barrier = Barrier(count)

    def one(number: int) -> Answer:
        barrier.wait()
        return ask(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_sixty_four_payments_at_once_are_not_busy(
    world: World, hospital: Counter, family: Family
) -> None:
    token = hospital.token(family.beneficiary)
    answers = at_once(64, lambda _: hospital.pay(token, 100))
    assert [answer.status for answer in answers] == [201] * 64
    assert len({answer.json["payment_id"] for answer in answers}) == 64
    assert family.available() == 100_000 - 6_400
    until(
        lambda: world.account(GUANGDONG, family.sharer.psn_no)["balance_fen"] == 500_000 - 6_400,
        "all 64 were debited",
    )


def test_fifty_requests_with_one_key_are_one_payment(hospital: Counter, family: Family) -> None:
    key, token = new_key(), hospital.token(family.beneficiary)
    told = hospital.payment(token, 1_000)
    answers = at_once(50, lambda _: hospital.post("/v1/payments", told, key))
    paid = [answer for answer in answers if answer.status == 201]
    waiting = [answer for answer in answers if answer.status != 201]
    assert len({answer.body for answer in paid}) == 1
    assert sum(not answer.replayed for answer in paid) == 1
    for answer in waiting:
        answer.refused("in-progress", 409)
        assert answer.headers["retry-after"]
    last = hospital.post("/v1/payments", told, key)
    assert (last.status, last.replayed, last.body) == (201, True, paid[0].body)
    assert family.available() == 99_000


def test_a_quota_is_never_overspent(hospital: Counter, family: Family) -> None:
    token = hospital.token(family.beneficiary)
    answers = at_once(40, lambda _: hospital.pay(token, 3_500))
    codes = sorted(answer.code or "paid" for answer in answers)
    assert codes == ["paid"] * 28 + ["quota-insufficient"] * 12
    assert family.available() == 100_000 - 28 * 3_500
