"""Room in the gateway: a crowd that is served in time may be large, one that waits may not."""

from __future__ import annotations

import pytest

from gateway.edge.room import FEW, PATIENCE_SECONDS, Room
from kit.refusal import Busy

MOST = 1000


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock) -> Room:
    return Room(most=MOST, clock=clock)


def test_as_many_as_there_is_room_for_may_come_at_once(room: Room) -> None:
    seats = [room.enter() for _ in range(MOST)]
    with pytest.raises(Busy):
        room.enter()
    room.leave(seats[0])
    room.enter()


def test_while_several_have_waited_long_nobody_else_is_let_in(room: Room, clock: Clock) -> None:
    seats = [room.enter() for _ in range(FEW + 1)]
    clock.now += 1.1 * PATIENCE_SECONDS
    with pytest.raises(Busy):
        room.enter()
    room.leave(seats[0])
    room.enter()


def test_a_few_that_wait_long_stand_in_nobodys_way(room: Room, clock: Clock) -> None:
    for _ in range(FEW):
        room.enter()
    clock.now += 10 * PATIENCE_SECONDS
    for _ in range(MOST - FEW):
        room.enter()


def test_who_was_refused_takes_no_seat(room: Room, clock: Clock) -> None:
    seats = [room.enter() for _ in range(FEW + 1)]
    clock.now += 1.1 * PATIENCE_SECONDS
    for _ in range(5):
        with pytest.raises(Busy):
            room.enter()
    for seat in seats:
        room.leave(seat)
    clock.now += 1
    assert [room.enter() for _ in range(MOST)]
