"""The clerk's tables: one line is one thing that happens, or one thing that has to be so.

    person   WANG at shenzhen employee 1000.00
    person   MA   at alar
    relation R1   WANG -> MA parent                       active
    province guangdong  freeze refuse
    quota    Q1   of R1                  300.00           granted
    quota    Q2   from sichuan           100.00           granted      somebody new, for the last MA
    quota    Q1                           50.00           lowered
    pay      P1   MA at alar             120.00           captured
    pay      P2   MA at hospital         120.00 of 80.00  exceeds-personal-burden
    pay      P1                                           replayed
    given    P1   Q1 100.00  Q2 20.00
    hold     H1   MA at hospital         120.00           held
    capture  H1                           70.00           captured
    release  H1                                           payment-not-held
    refund   H1                           20.00           captured
    quota    Q1   available 180.00  held 0.00  spent 120.00
    premium  L1   of MA by WANG           50.00           held
    premium  L1                                           captured         waited for
    premium  L1                                           refunded         by its fund
    account  WANG balance 880.00  frozen 180.00  spendable 700.00
    owes     440300 -> 659002             120.00

What may be said of months stands in `town_clearing`, of ends in `town_endings`. Amounts are yuan
with two decimals. The last word is what is said to it: done, or a refusal's code.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kit.ids import cell_of_id
from tests.support import town_clearing as clearing
from tests.support import town_endings as endings
from tests.support.town_people import Citizen, Counter, Said, bill, new_key
from tests.support.town_until import until

if TYPE_CHECKING:
    from tests.support.town import Town

PLACES = {
    "alar": "659002",
    "beijing": "110100",
    "chengdu": "510100",
    "guangdong": "440300",
    "mianyang": "510700",
    "shenzhen": "440300",
    "sichuan": "510100",
}
PROVINCES = {"guangdong": "440000", "sichuan": "510000", "beijing": "110000", "alar": "660000"}
COUNTERS = {
    "alar": "pharmacy",
    "pharmacy": "pharmacy",
    "hospital": "hospital",
    "shenzhen": "H44030000001",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationTold:
    relation_id: str
    sharer: Citizen
    beneficiary: Citizen


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaTold:
    quota_id: str
    relation: RelationTold


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTold:
    counter: Counter
    key: str
    body: bytes
    said: Said


def fen(text: str) -> int:
    yuan, _, rest = text.partition(".")
    assert len(rest) == 2, f"{text}: yuan with two decimals"
    return int(yuan) * 100 + int(rest)


def yuan(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


async def read_table(town: Town, table: str) -> None:
    """Do line after line. Raises AssertionError that begins with the line it fails at."""
    for number, line in enumerate(table.splitlines(), 1):
        verb, *words = line.split() or ("",)
        if not verb:
            continue
        try:
            await STEPS[verb](town, words)
        except Exception as error:
            # Whatever it was, the reader of the table has to know where.
            said = str(error) or repr(error)
            raise AssertionError(f"line {number}: {line.strip()}\n    {said}") from error


async def _person(town: Town, words: Sequence[str]) -> None:
    name, at, place, *scheme = words
    assert at == "at", "person NAME at PLACE [employee BALANCE]"
    balance = fen(scheme[1]) if scheme else 0
    town.names[name] = town.names["the last"] = await town.world.citizen(
        PLACES[place], employee=bool(scheme), balance_fen=balance
    )


async def _relation(town: Town, words: Sequence[str]) -> None:
    name, sharer_name, arrow, beneficiary_name, kind, outcome = words
    assert arrow == "->", "relation NAME SHARER -> BENEFICIARY KIND OUTCOME"
    sharer: Citizen = town.names[sharer_name]
    beneficiary: Citizen = town.names[beneficiary_name]
    proposed = await sharer.propose("sharer", beneficiary, kind)
    if outcome not in ("active", "proposed", "declined"):
        assert _word(proposed) == outcome, proposed.body
        return
    relation_id = str(proposed.of(201)["relation_id"])
    town.names[name] = RelationTold(relation_id=relation_id, sharer=sharer, beneficiary=beneficiary)
    if outcome == "proposed":
        return
    (await beneficiary.confirm(relation_id)).of(202)
    await endings.becomes(town, [name, outcome])


async def _province(town: Town, words: Sequence[str]) -> None:
    name, what, how = words
    ways = ("freeze", "kinship", "premium", "clearing")
    assert what in ways, f"province NAME {'|'.join(ways)} HOW"
    await town.world.behave(PROVINCES[name], **{what: how})


async def _quota(town: Town, words: Sequence[str]) -> None:
    name, word, *_ = words
    if word == "available":
        await _books(town, name, words[1:])
    elif word == "of":
        await _wish(town, name, town.names[words[2]], fen(words[3]), words[4])
    elif word == "from":
        relation = await _somebody_new(town, words[2], fen(words[3]))
        await _wish(town, name, relation, fen(words[3]), words[4])
    else:
        await _wish(town, name, town.names[name].relation, fen(word), words[2])


async def _somebody_new(town: Town, place: str, amount: int) -> RelationTold:
    """A sharer with ten times the amount, for the beneficiary told of last."""
    beneficiary: Citizen = town.names["the last"]
    sharer = await town.world.citizen(PLACES[place], employee=True, balance_fen=10 * amount)
    relation_id = await sharer.share_with(beneficiary)
    return RelationTold(relation_id=relation_id, sharer=sharer, beneficiary=beneficiary)


async def _wish(town: Town, name: str, relation: RelationTold, amount: int, outcome: str) -> None:
    sharer = relation.sharer
    said = await sharer.set_quota(relation.relation_id, amount)
    if outcome not in ("granted", "refused", "lowered"):
        assert _word(said) == outcome, said.body
        return
    quota_id = str(said.of(202)["quota_id"])
    quota = await sharer.settled_quota(quota_id)
    refused = quota["state"] == "refused" or bool(quota.get("refusal"))
    assert refused == (outcome == "refused"), quota
    if outcome != "refused":
        assert quota["state"] == "active", quota
        assert quota["available_fen"] == amount, quota
    town.names[name] = QuotaTold(quota_id=quota_id, relation=relation)


async def _books(town: Town, name: str, words: Sequence[str]) -> None:
    told: QuotaTold = town.names[name]
    wanted = _pairs(words)

    async def books() -> dict[str, str]:
        quota = await told.relation.sharer.quota(told.quota_id)
        return {book: yuan(quota[f"{book}_fen"]) for book in wanted}

    assert await books() == wanted


async def _account(town: Town, words: Sequence[str]) -> None:
    """What the province has follows what the quota says: it is waited for."""
    name, *rest = words
    person, wanted = town.names[name], _pairs(rest)
    seen: dict[str, str] = {}

    async def agrees() -> bool:
        account = await town.world.account(person.area, person.psn_no)
        seen.update({field: yuan(account[f"{field}_fen"]) for field in wanted})
        return seen == wanted

    try:
        await until(agrees, "the account")
    except AssertionError:
        assert seen == wanted


def _pairs(words: Sequence[str]) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))


async def _pay(town: Town, words: Sequence[str]) -> None:
    if len(words) == 2:
        await _pay_again(town, *words)
        return
    name, who, at, place, amount, *rest = words
    assert at == "at", "pay NAME WHO at PLACE AMOUNT [of BURDEN] OUTCOME"
    burden = fen(rest[1]) if rest[0] == "of" else fen(amount)
    counter = town.counter(COUNTERS[place])
    found = town.names[who]
    person = found.relation.beneficiary if isinstance(found, QuotaTold) else found
    token = await counter.token(person)
    purpose = "pharmacy" if counter.code[0] == "P" else "outpatient"
    told = counter.payment(token, fen(amount), bill=bill(burden, purpose=purpose))
    key, body = new_key(), json.dumps(told).encode()
    said = await counter.send("POST", "/v1/payments", body, key, known_as=counter.code)
    assert _word(said) == rest[-1], said.body
    town.names[name] = PaymentTold(counter=counter, key=key, body=body, said=said)


async def _hold(town: Town, words: Sequence[str]) -> None:
    name, who, at, place, amount, outcome = words
    assert at == "at", "hold NAME WHO at PLACE AMOUNT OUTCOME"
    counter = town.counter(COUNTERS[place])
    found = town.names[who]
    person = found.relation.beneficiary if isinstance(found, QuotaTold) else found
    told = counter.payment(await counter.token(person), fen(amount), capture=False)
    key, body = new_key(), json.dumps(told).encode()
    said = await counter.send("POST", "/v1/payments", body, key, known_as=counter.code)
    assert _word(said) == outcome, said.body
    town.names[name] = PaymentTold(counter=counter, key=key, body=body, said=said)


async def _capture(town: Town, words: Sequence[str]) -> None:
    name, amount, outcome = words
    await _becomes(town, name, "capture", {"amount_fen": fen(amount)}, outcome)


async def _release(town: Town, words: Sequence[str]) -> None:
    name, outcome = words
    await _becomes(town, name, "release", {}, outcome)


async def _refund(town: Town, words: Sequence[str]) -> None:
    name, amount, outcome = words
    told = {"amount_fen": fen(amount), "reason": "too much"}
    await _becomes(town, name, "refunds", told, outcome)


async def _becomes(town: Town, name: str, verb: str, told: Mapping[str, Any], outcome: str) -> None:
    hold: PaymentTold = town.names[name]
    said = await hold.counter.about(hold.said.json["payment_id"], verb, told)
    assert _word(said) == outcome, said.body


async def _pay_again(town: Town, name: str, outcome: str) -> None:
    assert outcome == "replayed"
    told: PaymentTold = town.names[name]
    counter = told.counter
    again = await counter.send("POST", "/v1/payments", told.body, told.key, known_as=counter.code)
    assert again.replayed
    assert (again.status, again.body) == (told.said.status, told.said.body)


async def _given(town: Town, words: Sequence[str]) -> None:
    name, *rest = words
    told: PaymentTold = town.names[name]
    found = [
        (each["quota_id"], yuan(each["amount_fen"])) for each in told.said.of(201)["allocations"]
    ]
    wanted = [(town.names[quota].quota_id, amount) for quota, amount in _pairs(rest).items()]
    assert found == wanted


async def _owes(town: Town, words: Sequence[str]) -> None:
    """Settlement's lines of the payments told of here, as soon as it has them."""
    debtor, arrow, creditor, amount = words
    assert arrow == "->", "owes POOL -> PLACE AMOUNT"
    payments = [
        each.said.json["payment_id"]
        for each in town.names.values()
        if isinstance(each, PaymentTold) and each.said.status in (201, 202)
    ]
    seen = ""

    async def recorded() -> bool:
        nonlocal seen
        [row] = await town.site.rows(
            "settlement",
            """
            SELECT coalesce(sum(amount), 0)::bigint AS amount FROM line
            WHERE debtor = $1 AND creditor = $2 AND payment_id = ANY($3::uuid[])
            """,
            debtor,
            creditor,
            payments,
        )
        seen = yuan(row["amount"])
        return seen == amount

    try:
        await until(recorded, "settlement has the lines")
    except AssertionError:
        assert seen == amount


async def _premium(town: Town, words: Sequence[str]) -> None:
    name, *rest = words
    if rest[0] == "of":
        await _ask_for_premium(town, name, rest)
        return
    payment_id = town.names[name].said.json["payment_id"]
    outcome = rest[0]
    if outcome == "refunded":
        fund = f"/provinces/{PROVINCES['alar']}/premiums/{payment_id}/refunds"
        await town.world.ask("POST", fund, {})
    seen = ""

    async def has_come() -> bool:
        nonlocal seen
        sql = "SELECT state FROM payment WHERE payment_id = $1"
        cell = cell_of_id(UUID(payment_id)) or 0
        [row] = await town.site.rows("wallet", sql, payment_id, cell=cell)
        seen = str(row["state"])
        return seen == outcome

    try:
        await until(has_come, f"the premium is {outcome}")
    except AssertionError:
        assert seen == outcome


async def _ask_for_premium(town: Town, name: str, words: Sequence[str]) -> None:
    of, who, by, asker, amount, outcome = words
    assert (of, by) == ("of", "by"), "premium NAME of WHO by ASKER AMOUNT OUTCOME"
    wallet = (await town.names[who].ask("GET", "/v1/me/wallet")).of(200)
    told = {
        "person_id": wallet["person_id"],
        "insutype": "390",
        "year": 2027,
        "levy_no": name,
        "amount_fen": fen(amount),
    }
    said = await town.names[asker].ask("POST", "/v1/me/premiums", told)
    assert _word(said) == outcome, said.body
    counter = town.counter()
    town.names[name] = PaymentTold(counter=counter, key="", body=b"", said=said)


def _word(said: Said) -> str:
    """A refusal's code, or what a payment is now."""
    return said.code or str(said.json.get("state", said.status))


Step = Callable[["Town", Sequence[str]], Awaitable[Any]]

STEPS: dict[str, Step] = {
    "person": _person,
    "relation": _relation,
    "province": _province,
    "quota": _quota,
    "pay": _pay,
    "given": _given,
    "hold": _hold,
    "capture": _capture,
    "release": _release,
    "refund": _refund,
    "premium": _premium,
    "account": _account,
    "owes": _owes,
    "month": clearing.month,
    "owed": clearing.owed,
    "inside": clearing.inside,
    "transfer": clearing.transfer,
    "says": clearing.says,
    "prefund": clearing.prefund,
    "end": endings.end,
    "decline": endings.decline,
    "becomes": endings.becomes,
    "insured": endings.insured,
    "registered": endings.registered,
}
