"""Short texts that every front end uses."""


def counted(number: int, noun: str) -> str:
    """`1 message`, `1,204 messages`, `2 memories`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def shortened(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis: at most so many characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
