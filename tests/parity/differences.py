"""Where funcd answers otherwise than the article's server, on purpose, and why.

Each entry says what the article's server does, so that the day it changes is noticed, and what
funcd promises instead.
"""

from dataclasses import dataclass

BAD_REQUEST = b'{"detail":"Bad Request"}'
NOT_FOUND = b'{"detail":"Not Found"}'


@dataclass(frozen=True)
class Difference:
    seed: int  # status
    funcd: int
    why: str


_NO_JSON = "Python's reader takes NaN and Infinity, which JSON does not have (RFC 8259 6)"

# By name of the case in outputs.py.
OF_OUTPUTS = {
    "lone-surrogate": Difference(500, 400, (
        "the article's server accepts a text that is no Unicode and then fails to encode it")),
    "extra-nan": Difference(200, 400, _NO_JSON),
    "extra-infinity": Difference(200, 400, _NO_JSON),
}

_ONE_STYLE = 'with errors = "bad-request" funcd has one answer for all that fails'

_EVERY_METHOD = "a function answers every method, unless its sidecar names some"

# By method and target.
OF_REQUESTS = {
    ("GET", "/"): Difference(404, 400, _ONE_STYLE),
    ("GET", "/item/more"): Difference(404, 400, _ONE_STYLE),
    ("GET", "//item"): Difference(404, 400, _ONE_STYLE),
    ("GET", "/..%2fitem"): Difference(404, 400, _ONE_STYLE),
    ("GET", "/item/"): Difference(307, 400, "funcd does not redirect: one path, one function"),
    ("GET", "/item%2f"): Difference(307, 400, "%2f is no separator to funcd (RFC 3986 2.2)"),
    ("GET", "/docs"): Difference(200, 400, "a function may be named docs; funcd adds no pages"),
    ("GET", "/openapi.json"): Difference(200, 400, "as /docs"),
    ("POST", "/item"): Difference(405, 200, _EVERY_METHOD),
    ("HEAD", "/item"): Difference(405, 200, _EVERY_METHOD),
    ("POST", "/get-only"): Difference(405, 400, _ONE_STYLE),
}
