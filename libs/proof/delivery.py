"""I7 all is published and all is consumed; I8 each key in order, without gap or inversion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from proof.rows import Consumed, Published, Told

Stream = tuple[str, str, str]
"""Source, topic, key: what order is kept within."""


def drained(
    outbox: Iterable[Told],
    published: Iterable[Published],
    consumed: Iterable[Consumed],
    parked: Collection[tuple[str, str, str]] = (),
) -> list[str]:
    """I7: the outbox is empty, Kafka has all of it, and its readers have come to the end.

    `parked` names (service, topic, key) whose records wait in a service's database, with a
    reason; a reader of a topic has to have read every key of it.
    """
    records = list(published)
    there = {(record.topic, record.event_id) for record in records}
    violations = []
    for told in outbox:
        if not told.published:
            violations.append(f"event {told.event_id} for {told.topic} waits in the outbox")
        elif (told.topic, told.event_id) not in there:
            violations.append(f"event {told.event_id} is marked published, {told.topic} lacks it")
    return violations + _behind(_last_of(records), list(consumed), set(parked))


def _last_of(records: Iterable[Published]) -> dict[Stream, int]:
    last: dict[Stream, int] = {}
    for record in records:
        if record.sequence is not None:
            stream = (record.source, record.topic, record.key)
            last[stream] = max(record.sequence, last.get(stream, 0))
    return last


def _behind(
    last: dict[Stream, int], consumed: list[Consumed], parked: set[tuple[str, str, str]]
) -> list[str]:
    read: dict[tuple[str, Stream], int] = {}
    readers: dict[str, set[str]] = defaultdict(set)
    for each in consumed:
        place = (each.service, (each.source, each.topic, each.key))
        # A service of several cells keeps a key's position in one of them.
        read[place] = max(each.last, read.get(place, 0))
        readers[each.topic].add(each.service)
    violations = [
        f"{service} has consumed {count} of {stream[1]} key {stream[2]}; only"
        f" {last.get(stream, 0)} were published"
        for (service, stream), count in sorted(read.items())
        if count > last.get(stream, 0)
    ]
    for stream, count in sorted(last.items()):
        _, topic, key = stream
        violations += [
            f"{service} has consumed {read.get((service, stream), 0)} of {count} of {topic}"
            f" key {key}"
            for service in sorted(readers[topic])
            if read.get((service, stream), 0) < count and (service, topic, key) not in parked
        ]
    return violations


def ordered(outbox: Iterable[Told], published: Iterable[Published]) -> list[str]:
    """I8: what is written, and what is published, counts 1, 2, 3 … within each key.

    A record may come again; a later one never comes before an earlier one was there.
    """
    written: dict[Stream, list[int]] = defaultdict(list)
    for told in outbox:
        written[told.source, told.topic, told.key].append(told.sequence)
    violations = [
        f"the outbox has {_shown(sequences)} for {topic} key {key}"
        for (_, topic, key), sequences in sorted(written.items())
        if sorted(sequences) != list(range(1, len(sequences) + 1))
    ]
    came: dict[Stream, list[int]] = defaultdict(list)
    places: dict[Stream, set[int]] = defaultdict(set)
    for record in sorted(published, key=lambda each: (each.topic, each.partition, each.offset)):
        if record.sequence is None:
            continue
        stream = (record.source, record.topic, record.key)
        places[stream].add(record.partition)
        if record.sequence not in came[stream]:
            came[stream].append(record.sequence)
    for (_, topic, key), sequences in sorted(came.items()):
        if sequences != list(range(1, len(sequences) + 1)):
            violations.append(f"{topic} brought {_shown(sequences)} for key {key}")
    violations += [
        f"{topic} has key {key} in partitions {sorted(found)}"
        for (_, topic, key), found in sorted(places.items())
        if len(found) > 1
    ]
    return violations


def _shown(sequences: list[int]) -> str:
    shown = ", ".join(map(str, sequences[:20]))
    return f"{shown}, …" if len(sequences) > 20 else shown
