"""Top a prefund up: what the province deposited with a counterpart is nearly used (R16).

prefund.warned --------------> prefund.topped-up, by the rule of this world
               --silence-----> nothing, until the province speaks again
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from contracts.events import PrefundToppedUp, event
from contracts.topics import from_province
from kit.transaction import Transaction
from kit.work import Event
from sandbox.domain.behaviour import WELL_BEHAVED, Voice
from sandbox.domain.commands import TopUpPrefund
from sandbox.domain.decided import DONE, Decided
from sandbox.domain.prefund import Prefund, Prefunds, Rule
from sandbox.store.behaviours import read_voice, write_held_answers
from sandbox.store.prefunds import read_prefunds, write_prefunds

TopUp = Callable[[Transaction, Sequence[TopUpPrefund], datetime], Awaitable[list[Decided]]]


def top_up_prefund(rule: Rule) -> TopUp:
    """The use case, with the rule by which provinces deposit."""

    async def top_up(
        tx: Transaction, commands: Sequence[TopUpPrefund], now: datetime
    ) -> list[Decided]:
        prefunds = await read_prefunds(
            tx, {(command.province, command.warning.counterpart) for command in commands}
        )
        voice = await read_voice(tx, {command.province for command in commands})

        decisions = [_decide(prefunds, voice, command, rule, now) for command in commands]

        await write_prefunds(tx, prefunds, now)
        await write_held_answers(tx, voice.held)
        return decisions

    return top_up


def _decide(
    prefunds: Prefunds, voice: Voice, command: TopUpPrefund, rule: Rule, now: datetime
) -> Decided:
    province, warning = command.province, command.warning
    prefund = prefunds.warned((province, warning.counterpart), warning.ratio_percent)
    if voice.behaviours.get(province, WELL_BEHAVED).clearing == "silent":
        return Decided(answer=DONE)
    told = [
        each
        for said in deposits_of(prefunds, prefund, rule)
        for each in voice.tell(province, said, now)
    ]
    return Decided(answer=DONE, events=told)


def deposits_of(prefunds: Prefunds, prefund: Prefund, rule: Rule) -> list[Event]:
    """What the province says of a warning: what it deposits, unless nothing is lacking."""
    deposit = prefunds.answer(prefund, rule)
    if deposit is None:
        return []
    topped_up = PrefundToppedUp(counterpart=prefund.counterpart, amount_fen=deposit.amount_fen)
    return [
        event(from_province(prefund.province), prefund.counterpart, prefund.counterpart, topped_up)
    ]
