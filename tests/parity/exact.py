"""JSON compared as text would be, except for what JSON leaves open.

Order of members and escapes do not matter; the digits of a number, and whether it is written as an
integer, do.
"""

import json


def exact(body: bytes):
    """The document, with each number as ("number", its text)."""
    def number(text: str):
        return ("number", text)

    return json.loads(body, parse_int=number, parse_float=number, parse_constant=number)
