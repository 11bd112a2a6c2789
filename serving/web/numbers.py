"""Numbers as text that people read."""

MINUS = "\N{MINUS SIGN}"


def decimals(value: float, digits: int = 3) -> str:
    """A number with so many decimals."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def brief(value: float) -> str:
    """Three digits that matter, and of larger numbers all before the point: `1,574`."""
    if value == 0:
        return "0"
    if abs(value) < 0.001 or abs(value) >= 1e12:
        return f"{value:.1e}".replace("-", MINUS)
    if abs(value) >= 999.5:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{float(f'{value:.3g}'):g}".replace("-", MINUS)


def signed_brief(value: float) -> str:
    """As `brief`, with the sign."""
    return f"+{brief(value)}" if value > 0 else brief(value)


def signed_decimals(value: float, digits: int = 2) -> str:
    """A number with so many decimals and its sign."""
    # What rounds to zero has no minus.
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", MINUS)


def signed(value: float) -> str:
    """A distance from the TSS, with its sign."""
    text = f"{value:+g}" if abs(value) < 1000 else f"{value:+,.0f}"
    return "0" if value == 0 else text.replace("-", MINUS)


def thousands(value: int) -> str:
    """A count."""
    return f"{value:,}"
