"""Ids: what they carry, and that the quick way to make them gives the same ids."""

from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from kit.ids import MOST_CELLS, cell_of_id, event_id, named_id, new_id


@given(namespace=st.uuids(), name=st.text(max_size=80))
def test_a_named_id_is_the_one_that_uuid5_gives(namespace: UUID, name: str) -> None:
    assert named_id(namespace, name) == uuid5(namespace, name)


@given(command=st.uuids())
def test_an_event_has_the_same_id_whenever_its_command_is_performed_again(command: UUID) -> None:
    first = event_id(command, "payment.captured.v1", "P1")
    assert first == event_id(command, "payment.captured.v1", "P1")
    assert first not in {
        event_id(command, "payment.captured.v1", "P2"),
        event_id(command, "payment.held.v1", "P1"),
    }


@given(cell=st.integers(0, MOST_CELLS - 1))
def test_a_new_id_carries_its_cell(cell: int) -> None:
    made = new_id(cell)
    assert (made.version, cell_of_id(made)) == (7, cell)
    assert UUID(str(made)) == made
    assert made != new_id(cell)
