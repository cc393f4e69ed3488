"""Asking other servers over HTTP: blocking, simple, with JSON.

Nothing may be asked until it is granted: `innkeeper plugin allow NAME http=https://api.example.com`.

    rate = http.get("https://rates.example.com/latest").expect_success().json()["rate"]
"""

import email.utils
import json as _json
from urllib.parse import urljoin, urlsplit

from . import Permanent, Retry
from ._host import IN_COMPONENT, missing
from ._http_errors import Refused, Unanswered

if IN_COMPONENT:
    try:
        from . import _wasi_http as client
    except ImportError:
        raise missing("http") from None
else:
    from . import testing as client

REDIRECTS_MAX = 5
# What another origin may know: headers that describe the content. Any other may be a credential.
_FOR_EVERYBODY = {"accept", "accept-language", "content-language", "content-type", "user-agent"}
_MAY_PASS = {408, 425, 429}


def get(url, **options):
    """Reads what is at a URL. The options are those of `request`."""
    return request("GET", url, **options)


def post(url, **options):
    """Has a URL process a body. The options are those of `request`."""
    return request("POST", url, **options)


def request(method, url, *, headers=None, body=None, json=None, timeout=None, redirects=REDIRECTS_MAX):
    """Sends a request and waits for the whole answer, a `Response` whatever its status is.

    `body` is `bytes` or `str`; `json` is a value to send as JSON. `timeout` says how many seconds everything may take. Up to
    `redirects` redirects are followed, each with a grant of its own; with 0 the redirect itself is the answer. Raises
    `Unanswered` or `Refused` if there is no answer.
    """
    headers = {name.lower(): str(value) for name, value in (headers or {}).items()}
    if json is not None:
        body = _json.dumps(json)
        headers.setdefault("content-type", "application/json")
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    deadline = client.Deadline(timeout)
    for left in range(redirects, -1, -1):
        name = f"{method} {url.split('?')[0].split('#')[0]}"
        _check(name, url)
        status, answered, content = client.exchange(name, method, url, headers, body, deadline)
        response = Response(status, answered, content, name)
        location = response.header("location")
        if redirects == 0 or status not in (301, 302, 303, 307, 308) or location is None:
            return response
        if left == 0:
            break
        there = urljoin(url, location)
        if url.startswith("https:") and not there.startswith("https:"):
            raise Refused(f"{name}: it redirects from a secure connection to one that is not")
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", b""
            headers = {name: value for name, value in headers.items() if not name.startswith("content-")}
        if _origin(url) != _origin(there):
            headers = {name: value for name, value in headers.items() if name in _FOR_EVERYBODY}
        url = there
    raise Refused(f"{name}: it redirects too often")


class Response:
    """An answer, complete with its body: `status`, `headers` (pairs, names in lower case) and `body` (`bytes`)."""

    def __init__(self, status, headers=(), body=b"", request=""):
        self.status = status
        self.headers = [(name.lower(), value) for name, value in headers]
        self.body = body
        self._request = request

    @property
    def text(self):
        """The body as text. What is not UTF-8 in it is replaced."""
        return self.body.decode(errors="replace")

    def json(self):
        """The body, read as JSON. Raises `Unanswered` if it is none."""
        try:
            return _json.loads(self.body)
        except ValueError as error:
            raise Unanswered(
                f"{self._request}: the answer's body is not JSON: {error}; it begins with {self._excerpt()}"
            ) from None

    def header(self, name, default=None):
        """The first value of a header; letter case does not matter."""
        return next((value for known, value in self.headers if known == name.lower()), default)

    @property
    def is_success(self):
        """Whether the status is from 200 to 299."""
        return 200 <= self.status < 300

    @property
    def retry_after(self):
        """How many seconds the server asks to wait, `None` if it does not. A time is compared with the server's own."""
        text = self.header("retry-after", "").strip()
        if text.isdecimal():
            return int(text)
        try:
            until = email.utils.parsedate_to_datetime(text)
            return max(0, (until - email.utils.parsedate_to_datetime(self.header("date", ""))).total_seconds())
        except (TypeError, ValueError):
            return None

    def expect_success(self):
        """The answer if its status is from 200 to 299.

        Else raises `Retry` for 408, 425, 429 and from 500 on, not before `retry_after` has passed, and `Permanent` for all
        others.
        """
        if self.is_success:
            return self
        message = f"{self._request} answered {self.status}: {self._excerpt()}"
        if self.status in _MAY_PASS or self.status >= 500:
            raise Retry(message, after=self.retry_after)
        raise Permanent(message)

    def _excerpt(self):
        shown = self.text[:200]
        return f"{shown}… ({len(self.body)} bytes in all)" if len(shown) < len(self.text) else shown or "nothing"


def _check(name, url):
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"{name}: the request is not valid: a URL begins with `https://` or `http://` and a host's name")
    if parts.username is not None:
        raise Refused(f"{name}: the request is not valid: name and password go into the header `authorization`")


def _origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
