"""counted(3, "dream"): a number with its noun."""


def counted(number: int, noun: str) -> str:
    """Return "1 dream" or "1,234 dreams"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
