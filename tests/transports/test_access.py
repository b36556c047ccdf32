"""Who may call, whose sessions, and what everybody else is told."""

import re
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.web import RequestHandler

from hector_nb.errors import ConfigError, StoreError, StoreFull
from hector_nb.transports.handlers import verbs_of
from hector_nb.transports.routes import ROUTES
from tests.transports.conftest import ALLOWED_ORIGIN, Site

pytestmark = pytest.mark.anyio
OPEN = {("/hector/health", "GET"), ("/hector/health/live", "GET")}
CALLS = [
    (pattern.replace("([^/]+)", "x").replace("(?:/.*)?", "/nothing/here"), verb)
    for pattern, handler in ROUTES
    for verb in RequestHandler.SUPPORTED_METHODS
    if verb != "OPTIONS"
]


@pytest.mark.parametrize(("path", "verb"), CALLS)
async def test_every_verb_of_every_route_needs_the_token(site: Site, path: str, verb: str) -> None:
    async with aiohttp.ClientSession() as anyone:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "username-127-0-0-1=x"}):
            async with anyone.request(verb, site.base + path, headers=headers, json={"message": "Hi"}) as response:
                if (path, verb) in OPEN:
                    assert response.status == 200
                else:
                    assert response.status == 403
                    if verb != "HEAD":
                        assert (await response.json())["error"] == {
                            "code": "unauthenticated",
                            "message": "This needs a token.",
                            "hint": "Send the header Authorization: Bearer TOKEN, or ?token=TOKEN.",
                        }


def test_every_verb_that_is_implemented_says_that_it_is_guarded() -> None:
    for pattern, handler in ROUTES:
        for verb in verbs_of(handler):
            method = getattr(handler, verb.lower())
            authenticated = method.__code__.co_qualname.startswith("authenticated")
            if (pattern, verb) in OPEN or verb == "OPTIONS":
                assert method.__allow_unauthenticated is True
            elif pattern.endswith("/stream") and "messages" not in pattern:
                assert method.__allow_unauthenticated is False
            else:
                assert authenticated, (pattern, verb)


@pytest.mark.parametrize("form", ["token the-token", "Bearer the-token", "bearer the-token"])
async def test_the_token_comes_in_a_header_or_in_the_query(site: Site, form: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{site.base}/agents", headers={"Authorization": form}) as response:
            assert response.status == 200
            assert "Set-Cookie" not in response.headers
        async with http.get(f"{site.base}/agents?token=the-token") as response:
            assert response.status == 200
        async with http.post(f"{site.base}/agents/assistant/sessions?token=the-token") as response:
            assert response.status == 201


async def test_a_token_stands_for_its_user_and_the_lone_one_for_the_local_user(site: Site) -> None:
    for token, user in (("the-token", "local"), ("token-of-ada", "ada")):
        _, session = await site.call("POST", "/agents/assistant/sessions", headers={"Authorization": f"Bearer {token}"})
        assert session["user"] == user


async def test_the_body_of_a_stranger_is_not_kept(site: Site) -> None:
    stranger = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    status, _ = await site.call(
        "POST", "/agents/assistant/messages", data=BytesIO(b" " * 20 * 1024 * 1024), headers=stranger
    )
    assert status == 403


async def test_a_foreign_host_is_refused(site: Site, open_door: Site) -> None:
    for each in (site, open_door):
        for host in ("evil.example", f"evil.example:{each.port}", "10.0.0.1"):
            status, body = await each.call("GET", "/agents", headers={"Host": host})
            assert (status, body["error"]["code"]) == (403, "forbidden")
            assert "name" in body["error"]["message"]


@pytest.mark.parametrize("headers", [{"Host": "localhost"}, {"Host": "127.0.0.1:80"}, {"Host": "[::1]:8080"}])
async def test_every_name_of_this_machine_will_do(open_door: Site, headers: dict[str, str]) -> None:
    assert (await open_door.call("GET", "/agents", headers=headers))[0] == 200


@pytest.mark.parametrize(
    ("headers", "query", "statuses"),
    [
        ({}, "", (200, 201)),
        ({"Origin": "OWN"}, "", (200, 201)),
        ({"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, "", (200, 201)),
        ({"Sec-Fetch-Site": "none"}, "", (200, 201)),
        ({"Origin": ALLOWED_ORIGIN, "Sec-Fetch-Site": "cross-site"}, "", (200, 201)),
        ({"Origin": "http://evil.example"}, "", (403, 403)),
        ({"Origin": "null"}, "", (403, 403)),
        ({"Sec-Fetch-Site": "cross-site"}, "", (403, 403)),
        ({"Sec-Fetch-Site": "same-site"}, "", (403, 403)),
        ({"Sec-Fetch-Site": "none"}, "?message=Hi", (403, 403)),
        ({"Origin": "http://evil.example"}, "?token=the-token", (200, 201)),
    ],
)
async def test_without_a_token_only_known_pages_may_call(
    site: Site, open_door: Site, headers: dict[str, str], query: str, statuses: tuple[int, int]
) -> None:
    where = site if "token" in query else open_door
    headers = {key: value.replace("OWN", f"http://127.0.0.1:{where.port}") for key, value in headers.items()}
    read, body = await where.call("GET", f"/agents{query}", headers=headers)
    written, _ = await where.call("POST", f"/agents/assistant/sessions{query}", headers=headers)
    assert (read, written) == statuses
    if read == 403:
        assert body["error"]["code"] == "forbidden"


async def test_an_image_or_a_link_starts_no_turn(open_door: Site) -> None:
    for site in ("cross-site", "same-site", "none"):
        status, _ = await open_door.call(
            "GET", "/agents/assistant/messages/stream?message=Hi", headers={"Sec-Fetch-Site": site}
        )
        assert status == 403
    assert not open_door.world.model.requests


async def test_a_form_of_another_page_starts_no_turn(open_door: Site) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        status, body = await open_door.call(
            "POST", "/agents/assistant/messages", data=b'{"message": "Hi"}', headers={"Content-Type": kind}
        )
        assert (status, body["error"]["code"]) == (415, "unsupported_media_type")


async def test_allowed_pages_may_read_the_answers_and_the_errors(site: Site, open_door: Site) -> None:
    for path, status in (("/agents", 200), ("/agents/nobody/sessions", 404)):
        async with open_door.http.get(open_door.base + path, headers={"Origin": ALLOWED_ORIGIN}) as response:
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
            assert response.headers["Vary"] == "Origin"
            assert "Hector-Turn-Id" in response.headers["Access-Control-Expose-Headers"]
            assert "Access-Control-Allow-Credentials" not in response.headers
    async with open_door.http.get(f"{open_door.base}/agents", headers={"Origin": "http://evil.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with site.http.get(f"{site.base}/agents") as response:
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "settings",
    [
        {"allow_origin": "*"},
        {"allow_origin": "https://lab.example"},
        {"allow_origin_pat": re.compile(r"https://.*\.example")},
    ],
)
async def test_origins_that_the_jupyter_server_allows_are_allowed_here_too(
    open_door: Site, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setitem(open_door.settings, name, value)
    page = {"Origin": "https://lab.example", "Sec-Fetch-Site": "cross-site"}
    async with open_door.http.get(f"{open_door.base}/agents", headers=page) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "https://lab.example"
    if settings != {"allow_origin": "*"}:
        assert (await open_door.call("GET", "/agents", headers={"Origin": "https://lab.example.evil.org"}))[0] == 403


@pytest.mark.parametrize("path", ["/agents", "/agents/assistant/messages/stream", "/agents/assistant/sessions/x"])
async def test_browsers_are_told_what_allowed_pages_may_do(site: Site, path: str) -> None:
    async with aiohttp.ClientSession() as http:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        async with http.options(site.base + path, headers={"Origin": ALLOWED_ORIGIN, **asks}) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            for name in ("authorization", "content-type", "last-event-id"):
                assert name in response.headers["Access-Control-Allow-Headers"]
        async with http.options(site.base + path, headers={"Origin": "http://evil.example", **asks}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "Access-Control-Allow-Methods" not in response.headers


@pytest.mark.parametrize("path", ["/agents/", "/agents/assistant", "/agents/a/b/c/d", "/hector", "/", "/api/kernels",
                                  "/api/contents", "/files/README.md", "/login", "/api/status", "/metrics", "/tree"])  # fmt: skip
async def test_there_is_nothing_else(site: Site, path: str) -> None:
    for verb in ("GET", "POST", "DELETE"):
        status, body = await site.call(verb, path)
        assert (status, body["error"]["code"]) == (404, "not_found")


async def test_a_verb_that_a_path_does_not_have_is_405(site: Site) -> None:
    async with site.http.put(f"{site.base}/agents/assistant/sessions") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, POST, OPTIONS"
        assert (await response.json())["error"]["code"] == "method_not_allowed"
    assert (await site.call("FOO", "/agents"))[0] == 405


class ReadersOnly(Authorizer):
    """Lets everybody read."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) == ("read", "hector")


async def test_the_servers_authorizer_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.settings, "authorizer", ReadersOnly())
    assert (await site.call("GET", "/agents"))[0] == 200
    for verb, path in (
        ("POST", "/agents/assistant/sessions"),
        ("DELETE", "/agents/assistant/sessions/x"),
        ("POST", "/agents/assistant/messages"),
        ("GET", "/agents/assistant/messages/stream?message=Hi"),
        ("POST", "/agents/assistant/sessions/x/cancel"),
    ):
        status, body = await site.call(verb, path)
        assert (status, body["error"]["code"]) == (403, "forbidden")
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await site.http.ws_connect(f"{site.base}/agents/assistant/stream")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ConfigError(problems=["hector.yaml:3: agents: wrong"]), 503, "config_error"),
        (StoreError("The disk is read-only."), 500, "store_error"),
        (StoreFull("No room."), 507, "store_full"),
        (RuntimeError("the password is hunter2"), 500, "internal_error"),
    ],
)
async def test_an_engine_that_cannot_work_is_told_on_every_route_but_health(
    site: Site, failure: Exception, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.world, "fails_with", failure)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/agents", None),
        ("POST", "/agents/assistant/sessions", None),
        ("GET", "/agents/assistant/sessions/x", None),
        ("POST", "/agents/assistant/messages", {"message": "Hi"}),
        ("POST", "/agents/assistant/messages/stream", {"message": "Hi"}),
        ("GET", "/agents/assistant/messages/stream?message=Hi", None),
    ]
    for verb, path, body in calls:
        answered, told = await site.call(verb, path, body)
        assert (answered, told["error"]["code"]) == (status, code)
        assert "hunter2" not in str(told)
        assert "Traceback" not in str(told)
    assert (await site.call("GET", "/hector/health/live"))[0] == 200
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await site.http.ws_connect(f"{site.base}/agents/assistant/stream")
    assert caught.value.status == status


async def test_neither_prompts_nor_tokens_are_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    site.world.will_say("Hi")
    await site.stream("GET", "/agents/assistant/messages/stream?message=my%20secret%20prompt&token=the-token")
    await site.call("GET", "/agents/nobody/messages/stream?message=my%20secret%20prompt&token=the-token")
    site.world.fails_with = RuntimeError("oh")
    await site.call("GET", "/agents/nobody/messages/stream?message=my%20secret%20prompt&token=the-token")
    site.world.fails_with = None
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiohttp.access")
    assert "secret" not in logged
    assert "the-token" not in logged
