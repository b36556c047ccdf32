"""Bytes of a file as text, where they are text."""

import codecs

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How text in UTF-16 begins."""


def decoded(content: bytes) -> str | None:
    """The text in its encoding: UTF-8, UTF-16 with a mark, else Latin-1; None where it is no text."""
    if content.startswith(UTF16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            return None
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text if all(letter >= " " or letter in "\t\n\r\f\x1b" for letter in text) else None
