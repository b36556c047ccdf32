"""Which web pages may call: product contract, "Who may call", as a table."""

import pytest

from hector_nb.transports.origins import Caller, refusal

HOST = "localhost:8080"
OWN = "http://localhost:8080"
ALLOWED = "https://app.example"
FOREIGN = "https://evil.example"


@pytest.mark.parametrize(
    ("origin", "fetch_site", "starts_turn", "let_in"),
    [
        # not a browser
        (None, None, False, True),
        (None, None, True, True),
        # the server's own pages
        (OWN, None, False, True),
        (OWN, "same-origin", False, True),
        (OWN, "same-origin", True, True),
        (None, "same-origin", True, True),
        (OWN.upper(), None, False, True),
        ("https://localhost:8080", None, False, True),
        # pages of an allowed origin
        (ALLOWED, None, False, True),
        (ALLOWED, "cross-site", False, True),
        (ALLOWED, "cross-site", True, True),
        (ALLOWED, "none", True, True),
        # foreign pages
        (FOREIGN, None, False, False),
        (FOREIGN, "cross-site", False, False),
        (FOREIGN, "same-origin", False, False),
        ("http://localhost:8081", None, False, False),
        ("http://localhost", None, False, False),
        ("http://localhost:8080.evil.example", None, False, False),
        ("null", None, False, False),
        ("", None, False, False),
        (OWN, "cross-site", False, False),
        (OWN, "same-site", False, False),
        # an image, a frame, a link on a foreign page
        (None, "cross-site", False, False),
        (None, "cross-site", True, False),
        (None, "same-site", True, False),
        (None, "nonsense", False, False),
        # the address bar
        (None, "none", False, True),
        (None, "none", True, False),
    ],
)
def test_who_may_call_without_a_token(
    origin: str | None, fetch_site: str | None, starts_turn: bool, let_in: bool
) -> None:
    caller = Caller(host=HOST, origin=origin, fetch_site=fetch_site, starts_turn=starts_turn)
    assert (refusal(caller, [ALLOWED]) is None) is let_in


def test_whoever_shows_the_token_may_call_from_anywhere() -> None:
    caller = Caller(host=HOST, origin=FOREIGN, fetch_site="cross-site", starts_turn=True, token=True)
    assert refusal(caller, []) is None


def test_nothing_foreign_is_allowed_by_default() -> None:
    assert refusal(Caller(host=HOST, origin=ALLOWED), []) is not None


def test_a_star_allows_every_page() -> None:
    assert refusal(Caller(host=HOST, origin=FOREIGN, fetch_site="cross-site"), ["*"]) is None


def test_a_request_without_a_host_has_no_own_pages() -> None:
    assert refusal(Caller(host=None, origin=OWN), []) is not None
    assert refusal(Caller(host="", origin=""), []) is not None
