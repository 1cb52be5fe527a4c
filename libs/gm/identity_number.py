"""Identity numbers (GB 11643-1999): checksum and date are hard checks, the region only a warning.

Regions are created, merged and renamed, and numbers outlive them: none is refused for its prefix.
Other kinds of certificate have no check digit that we know: their length is bounded, no more.
"""

import re
from dataclasses import dataclass
from datetime import date

IDENTITY_CARD = "01"
LONGEST_CERTIFICATE = 50

_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_CERTIFICATE_TYPE = re.compile(r"[0-9]{2}")
_CERTIFICATE = re.compile(rf"[!-~一-鿿]{{1,{LONGEST_CERTIFICATE}}}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_EARLIEST_BIRTH = date(1850, 1, 1)
_REGIONS = frozenset(
    f"{prefix}"
    for prefixes in (
        range(11, 16),
        range(21, 24),
        range(31, 38),
        range(41, 47),
        range(50, 55),
        range(61, 66),
        (71, 81, 82, 83),
    )
    for prefix in prefixes
)


class CertificateInvalid(ValueError):
    """The certificate's number cannot be a number of that kind. Never carries the number itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A number that passed, as it is to be stored. `born_on` is told by identity cards alone."""

    psn_cert_type: str
    cert_no: str
    born_on: date | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Certificate({self.psn_cert_type}, {mask_number(self.cert_no)})"


def check_certificate(psn_cert_type: str, cert_no: str, *, on: date | None = None) -> Certificate:
    """Normalises and checks a number of any kind; `on` is the day that no birth may follow.

    Raises `CertificateInvalid`.
    """
    if not _CERTIFICATE_TYPE.fullmatch(psn_cert_type):
        raise CertificateInvalid("psn_cert_type is two digits")
    if psn_cert_type == IDENTITY_CARD:
        return check_identity_number(cert_no, on=on)
    if not _CERTIFICATE.fullmatch(cert_no):
        raise CertificateInvalid(
            f"a certificate number has 1 to {LONGEST_CERTIFICATE} characters and no spaces"
        )
    return Certificate(psn_cert_type=psn_cert_type, cert_no=cert_no.upper())


def check_identity_number(number: str, *, on: date | None = None) -> Certificate:
    """Checks shape, checksum and date of birth of an 18-character number; `x` is stored as `X`.

    Raises `CertificateInvalid`.
    """
    number = number.upper()
    if not _SHAPE.fullmatch(number):
        raise CertificateInvalid("an identity number has 17 digits and a check digit")
    if number[17] != check_digit(number[:17]):
        raise CertificateInvalid("the check digit does not fit")
    born_on = _born_on(number)
    if on is not None and born_on > on:
        raise CertificateInvalid("the date of birth lies in the future")
    warnings = () if number[:2] in _REGIONS else ("the region is not one of GB/T 2260",)
    return Certificate(
        psn_cert_type=IDENTITY_CARD, cert_no=number, born_on=born_on, warnings=warnings
    )


def check_digit(first_17: str) -> str:
    """The last character of an identity number, from its 17 digits (ISO 7064, MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first_17, strict=True))
    return _CHECK_DIGITS[total % 11]


def mask_name(name: str) -> str:
    """张三 → 张*: the first character, and a star for each other; one character alone is hidden."""
    if len(name) < 2:
        return "*" * len(name)
    return name[0] + "*" * (len(name) - 1)


def mask_number(number: str) -> str:
    """Three characters, stars, two characters; short numbers are hidden whole."""
    if len(number) < 10:
        return "*" * len(number)
    return number[:3] + "*" * (len(number) - 5) + number[-2:]


def _born_on(number: str) -> date:
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise CertificateInvalid("the date of birth is not a day of the calendar") from None
    if born_on < _EARLIEST_BIRTH:
        raise CertificateInvalid("the date of birth lies too far back")
    return born_on
