"""Numbers as people read them."""

import pytest

from serving.web.numbers import brief, decimals, signed, signed_brief, signed_decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1574.21, "1,574"),
        (999.4, "999"),
        (999.6, "1,000"),
        (12.345, "12.3"),
        (0.012345, "0.0123"),
        (0.00012, "1.2e\N{MINUS SIGN}04"),
        (2_345_678.9, "2,345,679"),
        (-1574.21, "\N{MINUS SIGN}1,574"),
        (float("nan"), "nan"),
    ],
)
def test_three_digits_that_matter(value: float, text: str) -> None:
    assert brief(value) == text


def test_signs_and_decimals() -> None:
    assert (signed(-5000), signed(0), signed(100)) == ("\N{MINUS SIGN}5,000", "0", "+100")
    assert (signed_brief(0.0123), signed_brief(-12)) == ("+0.0123", "\N{MINUS SIGN}12")
    assert (signed_decimals(-1.234), signed_decimals(-0.001)) == ("\N{MINUS SIGN}1.23", "+0.00")
    assert decimals(-0.12345) == "\N{MINUS SIGN}0.123"
