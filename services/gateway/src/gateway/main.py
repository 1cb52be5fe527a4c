"""The gateway's process: settings in, parts assembled, command line out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import structlog
import typer

from contracts import topics
from gateway.domain.happenings import RecordPayment, RecordQuota, RecordRelation
from gateway.domain.presence import PresenceSeal
from gateway.domain.sessions import SessionSeal
from gateway.domain.told import RecordInstitution
from gateway.edge.app import add_routes
from gateway.edge.decoder import Decoder
from gateway.edge.endpoint import Authentication, Route
from gateway.edge.explain import Explain
from gateway.edge.facts import FACT_TOPICS, facts_reading, keeping_progress
from gateway.edge.holds import Holds
from gateway.edge.kafka import PROVINCE_TOPICS, provinces_reading
from gateway.edge.kept import KeptAnswers
from gateway.edge.line import Line
from gateway.edge.listing import Listing
from gateway.edge.months import Months
from gateway.edge.my_premiums import MyPremiums
from gateway.edge.my_relations import MyRelations
from gateway.edge.my_timeline import MyTimeline
from gateway.edge.my_wallet import MyWallet
from gateway.edge.neighbours import Neighbour
from gateway.edge.payments import Payments
from gateway.edge.periods import Periods
from gateway.edge.prefunds import Prefunds
from gateway.edge.presences import Presences
from gateway.edge.quotes import Quotes
from gateway.edge.refunds import Refunds
from gateway.edge.registration import register_all
from gateway.edge.relations import Relations
from gateway.edge.reversals import Reversals
from gateway.edge.room import Room
from gateway.edge.routes import (
    AUDIT_ROLE,
    BEARER,
    CLEARING,
    CLEARING_OR_SIGNED,
    CLEARING_ROLE,
    CONCERNED,
    OWN_KEY,
    PREFUND_ROLE,
    PREFUNDS,
    SIGNED,
)
from gateway.edge.sessions import Sessions
from gateway.edge.settlement import Settlement
from gateway.edge.signatures import OwnKeySignatures, Signatures, Signers, UsedNonces
from gateway.edge.statements import SignedOrToken, Statements
from gateway.edge.tokens import CitizenOrClerkTokens, ClerkTokens, IssuerKeys, Tokens
from gateway.edge.wallet import Wallet
from gateway.settings import Settings
from gateway.store.audits import AUDITS
from gateway.usecases.begin_session import BeginSession, beginning_session
from gateway.usecases.keep_answer import KeepAnswer, keep_answer
from gateway.usecases.keep_quote import KeepQuote, keeping_quotes
from gateway.usecases.prove_presence import ProvePresence, proving_presence
from gateway.usecases.record_institution import record_institution
from gateway.usecases.record_payment import record_payment
from gateway.usecases.record_quota import record_quota
from gateway.usecases.record_relation import record_relation
from gm.signing import signing_key
from kit import logs
from kit.consume import Consumer
from kit.perform import Door
from kit.postgres import Pool, open_pool, schema_of
from kit.run import DatabaseSettings, Parts, Runtime, Service, Sweep, cli, run
from kit.work import UseCase

log = structlog.get_logger("gateway.main")

MIGRATIONS = Path(__file__).parents[2] / "migrations"
PRUNE_EVERY_SECONDS = 30.0

DESCRIPTION = "The public door: institutions sign, citizens and clerks bring a token."


async def assemble(runtime: Runtime[Settings]) -> Parts:
    """Build the gateway from what the process lends it; also registers INSTITUTIONS_FILE."""
    settings = runtime.settings
    pool = runtime.pools[0]
    if settings.institutions_file is not None:
        count = await register_all(pool, settings.institutions_file.read_bytes())
        log.info("institutions.registered", count=count)
    client = _client()
    runtime.on_close(client.aclose)
    nonces = await _nonces(runtime)
    relations, wallet, settlement = _neighbours(runtime)
    seal = PresenceSeal(settings.presence_keys())
    session_seal = SessionSeal(settings.presence_keys())
    door = runtime.door(0, _usecases(settings, seal, session_seal))
    quotes = Quotes(pool=pool, door=door, wallet=wallet, seal=seal)
    runtime.on_close(quotes.close)
    presences = Presences(
        pool=pool,
        door=door,
        relations=relations,
        wallet=wallet,
        decoder=Decoder(
            client, url=settings.ec_decoder_url, seconds=settings.neighbour_seconds / 2
        ),
    )
    runtime.on_close(presences.close)
    sessions = Sessions(door=door)
    runtime.on_close(sessions.close)
    kept = KeptAnswers(pool=pool, door=door)
    runtime.on_close(kept.close)
    signers = Signers(pool, seal=session_seal, seconds=settings.key_cache_seconds)

    app = runtime.app(description=DESCRIPTION, deadline_seconds=settings.deadline_seconds)
    add_routes(
        app,
        [
            *_of_payments(wallet, seal, quotes),
            *presences.routes(),
            *sessions.routes(),
            *_of_citizens(relations, wallet),
            *_of_clearing(wallet, settlement, kept),
            *_of_the_past(pool, relations, wallet, settlement, settings.explain_seconds),
        ],
        authentications=_authentications(settings, signers, nonces, client),
        room=Room(most=settings.most_in_flight),
        fingerprint_key=settings.key_of_fingerprints(),
        response_key=signing_key(
            settings.response_key_id,
            settings.response_key_algorithm,
            settings.response_key_file.read_bytes(),
        ),
    )
    sweeps = [
        _pruning("nonces", nonces.prune),
        _pruning("sessions", signers.prune),
        _pruning("quotes", quotes.prune),
    ]
    return Parts(app=app, consumers=_consumers(runtime, door), sweeps=sweeps)


def _consumers(runtime: Runtime[Settings], door: Door) -> list[Consumer]:
    institutions_told = runtime.consumer(
        name="provinces",
        topics=PROVINCE_TOPICS,
        reading=provinces_reading(),
        submit=lambda _cell, jobs: door.perform(jobs),
    )
    facts_told = runtime.consumer(
        name="facts",
        topics=FACT_TOPICS,
        reading=facts_reading(),
        submit=lambda _cell, jobs: door.perform(jobs),
        progress=keeping_progress(runtime.pools[0]),
    )
    return [institutions_told, facts_told]


def _of_payments(wallet: Wallet, seal: PresenceSeal, quotes: Quotes) -> list[Route]:
    return [
        *quotes.routes(),
        *Payments(wallet=wallet, seal=seal, quotes=quotes).routes(),
        *Holds(wallet=wallet).routes(),
        *Refunds(wallet=wallet).routes(),
        *Reversals(wallet=wallet).routes(),
    ]


def _of_citizens(relations: Relations, wallet: Wallet) -> list[Route]:
    return [
        *MyWallet(relations=relations, wallet=wallet).routes(),
        *MyRelations(relations=relations, wallet=wallet).routes(),
        *MyPremiums(relations=relations, wallet=wallet).routes(),
    ]


def _of_clearing(wallet: Wallet, settlement: Settlement, kept: KeptAnswers) -> list[Route]:
    months = Months(wallet=wallet, settlement=settlement)
    return [
        *Periods(wallet=wallet, settlement=settlement, months=months, kept=kept).routes(),
        *Statements(settlement=settlement, months=months).routes(),
        *Prefunds(settlement=settlement).routes(),
    ]


def _of_the_past(
    pool: Pool, relations: Relations, wallet: Wallet, settlement: Settlement, seconds: float
) -> list[Route]:
    explain = Explain(
        pool=pool, relations=relations, wallet=wallet, settlement=settlement, seconds=seconds
    )
    return [
        *Listing(pool=pool, wallet=wallet).routes(),
        *MyTimeline(pool=pool, relations=relations).routes(),
        *explain.routes(),
    ]


def _pruning(what: str, prune: Callable[[], Awaitable[None]]) -> Sweep:
    return Sweep(name=f"prune_{what}", every_seconds=PRUNE_EVERY_SECONDS, sweep=prune)


async def _nonces(runtime: Runtime[Settings]) -> UsedNonces:
    # A nonce need not wait for the disk: see UsedNonces.
    pool = await open_pool(
        runtime.settings.database_url,
        schema=schema_of(0),
        size=2,
        application_name="gateway-nonces",
        server_settings={"synchronous_commit": "off"},
    )
    runtime.on_close(pool.close)
    return UsedNonces(pool)


def _usecases(
    settings: Settings, presence_seal: PresenceSeal, session_seal: SessionSeal
) -> dict[type, UseCase]:
    return {
        RecordInstitution: record_institution,
        RecordRelation: record_relation,
        RecordQuota: record_quota,
        RecordPayment: record_payment,
        ProvePresence: proving_presence(
            presence_seal, timedelta(seconds=settings.presence_seconds)
        ),
        KeepAnswer: keep_answer,
        KeepQuote: keeping_quotes(timedelta(seconds=settings.quote_seconds)),
        BeginSession: beginning_session(
            session_seal, timedelta(seconds=settings.session_seconds), settings.most_sessions
        ),
    }


def _authentications(
    settings: Settings, signers: Signers, nonces: UsedNonces, client: httpx.AsyncClient
) -> dict[str, Authentication]:
    signatures = Signatures(public_url=settings.public_url, signers=signers, nonces=nonces)
    tokens = Tokens(
        IssuerKeys(client, settings.jwks_url),
        issuer=settings.token_issuer,
        audience=settings.token_audience,
    )
    clerks = ClerkTokens(tokens, CLEARING_ROLE)
    return {
        SIGNED: signatures,
        OWN_KEY: OwnKeySignatures(signatures),
        BEARER: tokens,
        CLEARING: clerks,
        CLEARING_OR_SIGNED: SignedOrToken(signatures=signatures, tokens=clerks),
        PREFUNDS: ClerkTokens(tokens, CLEARING_ROLE, PREFUND_ROLE),
        CONCERNED: SignedOrToken(
            signatures=signatures, tokens=CitizenOrClerkTokens(tokens, AUDIT_ROLE)
        ),
    }


def _client() -> httpx.AsyncClient:
    """Connections to decoder and token issuer; none of them through a proxy."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(retries=1, limits=limits),
        timeout=httpx.Timeout(4.0, connect=1.0, pool=1.0),
        trust_env=False,
    )


def _neighbours(runtime: Runtime[Settings]) -> tuple[Relations, Wallet, Settlement]:
    settings = runtime.settings

    def neighbour(name: str, url: str) -> Neighbour:
        return Neighbour(
            name,
            line=Line(url, token=settings.service_token),
            seconds=settings.neighbour_seconds,
        )

    most, queue = settings.batch_most, settings.queue_most
    relations = Relations(neighbour("relations", settings.relations_url), most=most, queue=queue)
    wallet = Wallet(
        neighbour("wallet", settings.wallet_url),
        cells=settings.wallet_cells,
        most=most,
        queue=queue,
    )
    settlement = Settlement(neighbour("settlement", settings.settlement_url))
    for each in (relations, wallet, settlement):
        runtime.on_close(each.close)
    return relations, wallet, settlement


SERVICE = Service(
    name="gateway",
    settings=Settings,
    migrations=MIGRATIONS,
    assemble=assemble,
    topics=lambda _settings: (
        topics.RELATION,
        topics.QUOTA,
        topics.PAYMENT,
        *topics.FROM_PROVINCES,
    ),
    audits=AUDITS,
)

app = cli(SERVICE)
institutions = typer.Typer(no_args_is_help=True, help="Who may sign, and by which keys.")
app.add_typer(institutions, name="institutions")


@institutions.command("register", help="Register the institutions of a file; others stay.")
def register(file: Path) -> None:
    settings = DatabaseSettings()
    logs.configure(SERVICE.name, settings.log_level)
    run(_register(settings.database_url, file.read_bytes()))


async def _register(dsn: str, text: bytes) -> None:
    pool = await open_pool(
        dsn, schema=schema_of(0), size=1, application_name="gateway-institutions"
    )
    try:
        log.info("institutions.registered", count=await register_all(pool, text))
    finally:
        await pool.close()
