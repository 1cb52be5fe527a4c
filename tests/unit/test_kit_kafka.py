"""The partition of a key is the one that aiokafka, and with it every Java client, would choose."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from kit.kafka import partition_of


@given(key=st.binary(max_size=60), partitions=st.integers(1, 50))
def test_a_key_lies_where_every_other_client_puts_it(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))
    assert partition_of(key, numbers, numbers) == DefaultPartitioner()(key, numbers, numbers)
