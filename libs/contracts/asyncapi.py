"""The AsyncAPI document: topics, their keys and partitions, headers and messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts import events, topics
from contracts.events import Told
from contracts.topics import Topic
from contracts.vocabulary import PROVINCES

HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "The same whenever the event is sent again."},
        "ce_type": {"type": "string", "description": "The type with its version."},
        "ce_source": {
            "type": "string",
            "description": "/provinces/440000 of a province, /wallet/cell-0 and alike of ours.",
        },
        "ce_subject": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Gapless per source, topic and key, from us; optional from provinces.",
        },
        "traceparent": {"type": "string", "description": "W3C trace context."},
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def document() -> dict[str, Any]:
    """The whole document, as plain data."""
    channels = {name: _channel(*described) for name, described in _described().items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gongji",
            "version": "1",
            "description": (
                "CloudEvents 1.0 in binary mode; JSON values; the partitioner is murmur2. No order"
                " holds between topics. A topic's name follows the installation's prefix."
            ),
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(),
        "components": {
            "messages": {_name(told): _message(told) for told in events.ALL},
            "messageTraits": {"cloudEvent": {"headers": HEADERS}},
        },
    }


def told_on(topic: Topic) -> list[type[Told]]:
    """The events of one of our own topics: `wallet.quota` tells `quota.….v1`."""
    thing = topic.name.partition(".")[2]
    ours = (*events.FROM_RELATIONS, *events.FROM_WALLET, *events.FROM_SETTLEMENT)
    return [told for told in ours if told.TYPE.partition(".")[0] == thing]


def _described() -> dict[str, tuple[Topic, str, str, Iterable[type[Told]]]]:
    border = {
        "fromProvince": (
            topics.from_province("{province}"),
            "What a province tells. Each province writes its own topic only.",
            events.FROM_PROVINCE,
        ),
        "toProvince": (
            topics.to_province("{province}"),
            "What a province is asked and told. Each province reads its own topic only.",
            events.TO_PROVINCE,
        ),
        "dead": (
            topics.dead("{service}"),
            "Records that a service could not read or perform, as they came, with the reason.",
            (),
        ),
    }
    ours = {
        topic.name: (topic, f"What {topic.name.partition('.')[0]} tells.", told_on(topic))
        for topic in topics.OURS
    }
    return {
        name: (topic, topic.name, text, told)
        for name, (topic, text, told) in (border | ours).items()
    }


def _channel(topic: Topic, address: str, text: str, told: Iterable[type[Told]]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": address,
        "description": text,
        "messages": {
            _name(each): {"$ref": f"#/components/messages/{_name(each)}"} for each in told
        },
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "x-key": topic.key,
                "bindingVersion": "0.5.0",
            }
        },
    }
    if "{province}" in address:
        channel["parameters"] = {"province": {"enum": list(PROVINCES)}}
    if "{service}" in address:
        services = [each.name.partition(".")[2] for each in topics.DEAD]
        channel["parameters"] = {"service": {"enum": services}}
    return channel


def _operations() -> dict[str, Any]:
    sent = {"toProvince", "dead", *(topic.name for topic in topics.OURS)}
    return {
        ("tell-" if name in sent else "hear-") + name: {
            "action": "send" if name in sent else "receive",
            "channel": {"$ref": f"#/channels/{name}"},
        }
        for name in _described()
    }


def _message(told: type[Told]) -> dict[str, Any]:
    text = (told.__doc__ or "").strip().partition("\n")[0]
    message: dict[str, Any] = {
        "name": told.TYPE,
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": f"schemas/events/{told.TYPE}.json"},
    }
    if text and told.__doc__ != Told.__doc__:
        message["summary"] = text
    return message


def _name(told: type[Told]) -> str:
    return told.__name__
