"""Which certificate a credential stands for. A card is never another person's (R30)."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from contracts.internal import IdentifyPerson
from contracts.public import Agent, Credential
from gm.identity_number import IDENTITY_CARD, CertificateInvalid, check_certificate
from kit.refusal import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedCertificate:
    """What the decoder of electronic certificates says of a scanned code."""

    psn_cert_type: str
    cert_no: str
    name: str

    def __repr__(self) -> str:
        return "DecodedCertificate(…)"


def certificate_of(
    credential: Credential, decoded: DecodedCertificate | None = None
) -> IdentifyPerson:
    """The certificate to look for; an e-certificate comes with what the decoder said of it.

    The name shown has to fit the person, whatever the decoder says. Raises Invalid for a number
    that cannot be.
    """
    assert (decoded is not None) == (credential.type == "e_certificate")
    if decoded is not None:
        name = credential.name or decoded.name
        return certificate_named(decoded.psn_cert_type, decoded.cert_no, name, "credential")
    if credential.type == "social_card" and credential.card_sn is None:
        raise Invalid("credential.card_sn: required for a social card")
    psn_cert_type = credential.psn_cert_type or IDENTITY_CARD
    return certificate_named(psn_cert_type, credential.value, credential.name, "credential.value")


def certificate_of_agent(agent: Agent) -> IdentifyPerson:
    """The certificate of who comes in the beneficiary's stead; nothing of it is kept.

    Raises Invalid for one that cannot be.
    """
    return certificate_named(agent.psn_cert_type, agent.cert_no, agent.name, "agent.cert_no")


def certificate_named(
    psn_cert_type: str, number: str, name: str | None, where: str
) -> IdentifyPerson:
    """The certificate with this number; `where` names the field in a refusal. Raises Invalid."""
    try:
        certificate = check_certificate(psn_cert_type, number)
        return IdentifyPerson(
            psn_cert_type=certificate.psn_cert_type, cert_no=certificate.cert_no, name=name
        )
    except CertificateInvalid as why:
        raise Invalid(f"{where}: {why.reason}") from None
    except ValidationError:
        # Not chained and not quoted: the error repeats the number.
        raise Invalid(f"{where}: this cannot be a certificate's number") from None
