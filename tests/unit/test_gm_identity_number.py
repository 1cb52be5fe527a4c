"""GB 11643: checksum and date are hard, the region is a warning, names and numbers are masked."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.identity_number import (
    CertificateInvalid,
    check_certificate,
    check_digit,
    check_identity_number,
    mask_name,
    mask_number,
)

TODAY = date(2026, 11, 21)


# The example of GB 11643-1999 itself.
@pytest.mark.parametrize(
    "number", ["11010519491231002X", "11010519491231002x", "440524188001010014"]
)
def test_the_numbers_of_the_standard_pass(number: str) -> None:
    certificate = check_identity_number(number, on=TODAY)
    assert certificate.cert_no == number.upper()
    assert certificate.warnings == ()


@given(
    region=st.integers(100000, 999999),
    born_on=st.dates(date(1900, 1, 1), TODAY),
    order=st.integers(0, 999),
)
def test_any_region_passes_and_an_unknown_one_is_only_warned_of(
    region: int, born_on: date, order: int
) -> None:
    first = f"{region}{born_on:%Y%m%d}{order:03}"
    certificate = check_identity_number(first + check_digit(first), on=TODAY)
    assert certificate.born_on == born_on
    assert bool(certificate.warnings) == (
        not 11 <= region // 10000 <= 83 or region // 10000 in UNKNOWN
    )


UNKNOWN = set(range(11, 84)) - {
    *(11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46),
    *(50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83),
}


@given(position=st.integers(0, 17), digit=st.sampled_from("0123456789X"))
def test_one_wrong_character_is_always_found(position: int, digit: str) -> None:
    number = "11010519491231002X"
    changed = number[:position] + digit + number[position + 1 :]
    if changed != number:
        with pytest.raises(CertificateInvalid):
            check_identity_number(changed)


def with_check_digit(first_17: str) -> str:
    return first_17 + check_digit(first_17)


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        ("17 digits and a check digit", ""),
        ("17 digits and a check digit", "110105491231002"),
        ("17 digits and a check digit", "01010519491231002X"),
        ("17 digits and a check digit", "１10105194912310021"),
        ("17 digits and a check digit", " 11010519491231002X"),
        ("17 digits and a check digit", "11010519491231002X\n"),
        ("check digit does not fit", "110105194912310021"),
        ("not a day of the calendar", with_check_digit("11010519490229002")),
        ("not a day of the calendar", with_check_digit("11010519491331002")),
        ("not a day of the calendar", with_check_digit("11010500000101002")),
        ("lies too far back", with_check_digit("11010518491231002")),
        ("lies in the future", with_check_digit(f"110105{TODAY + timedelta(days=1):%Y%m%d}002")),
    ],
)
def test_a_number_that_cannot_be_one_is_refused(reason: str, number: str) -> None:
    with pytest.raises(CertificateInvalid, match=reason) as refused:
        check_identity_number(number, on=TODAY)
    assert not number or number not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "number", "stored"),
    [
        ("01", "11010519491231002x", "11010519491231002X"),
        ("02", "e12345678", "E12345678"),
        ("99", "军字第0012345号", "军字第0012345号"),
        ("06", "A" * 50, "A" * 50),
    ],
)
def test_other_certificates_pass_within_their_length(kind: str, number: str, stored: str) -> None:
    certificate = check_certificate(kind, number, on=TODAY)
    assert certificate.cert_no == stored
    assert number not in repr(certificate)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("02", ""), ("02", "A" * 51), ("02", "E123 456"), ("02", "E\x00"), ("1", "E1"), ("xx", "E1")],
)
def test_a_certificate_beyond_its_length_is_refused(kind: str, number: str) -> None:
    with pytest.raises(CertificateInvalid):
        check_certificate(kind, number)


@pytest.mark.parametrize(
    ("name", "masked"),
    [("张三", "张*"), ("欧阳娜娜", "欧***"), ("张", "*"), ("", ""), ("John", "J***")],
)
def test_a_name_is_masked(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("number", "masked"), [("11010519491231002X", "110*************2X"), ("E1234", "*****")]
)
def test_a_number_is_masked(number: str, masked: str) -> None:
    assert mask_number(number) == masked
