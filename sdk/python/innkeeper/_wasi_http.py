"""HTTP in a component: the standard interface `wasi:http`."""

from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import monotonic_clock, outgoing_handler, poll, streams, types

from ._http_errors import Refused, Unanswered

READ_BYTES = 64 << 10

_DENIED = "no grant allows it; the execution's log names the `innkeeper plugin allow` command that does"
_SLOW = "it took too long; `timeout` gives it more, up to what the task may take"
_REFUSALS = {
    types.ErrorCode_HttpRequestDenied: _DENIED,
    types.ErrorCode_DestinationIpProhibited: "it leads to an address that plugins may not reach; the log says more",
    types.ErrorCode_HttpRequestMethodInvalid: "the request is not valid: its method",
    types.ErrorCode_HttpRequestUriInvalid: "the request is not valid: its URL",
    types.ErrorCode_HttpRequestUriTooLong: "the request is not valid: its URL is too long",
    types.ErrorCode_HttpRequestHeaderSize: "the request is not valid: its headers are too large",
    types.ErrorCode_HttpRequestHeaderSectionSize: "the request is not valid: its headers are too large",
}
_REASONS = {
    types.ErrorCode_DnsError: "nobody answers there; check the name and the port",
    types.ErrorCode_DestinationNotFound: "nobody answers there; check the name and the port",
    types.ErrorCode_DestinationUnavailable: "nobody answers there; check the name and the port",
    types.ErrorCode_ConnectionRefused: "nobody answers there: the connection was refused",
    types.ErrorCode_DnsTimeout: f"{_SLOW}: the name was not resolved",
    types.ErrorCode_ConnectionTimeout: f"{_SLOW}: there was no connection",
    types.ErrorCode_ConnectionReadTimeout: f"{_SLOW}: there was no answer",
    types.ErrorCode_HttpResponseTimeout: f"{_SLOW}: there was no answer",
    types.ErrorCode_TlsProtocolError: "there is no secure connection; the log says more",
    types.ErrorCode_TlsAlertReceived: "there is no secure connection; the log says more",
    types.ErrorCode_TlsCertificateError: "there is no secure connection: the certificate is not valid",
    types.ErrorCode_ConnectionLimitReached: "the execution's limit of requests is reached",
    types.ErrorCode_HttpResponseBodySize: "the execution's limit of bytes is reached",
}
_BROKEN = "the connection ended early, or what came over it is not valid HTTP"
_METHODS = {
    name: getattr(types, f"Method_{name.capitalize()}")
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
}


class Deadline:
    """When everything is to be over; `None` seconds are as long as it takes."""

    def __init__(self, seconds):
        self._pollable = None if seconds is None else monotonic_clock.subscribe_duration(round(seconds * 1e9))

    def wait(self, name, event):
        """Waits until `event` is there or time is up."""
        with event:
            if self._pollable is None:
                event.block()
            elif 0 not in poll.poll([event, self._pollable]):
                raise Unanswered(f"{name}: {_SLOW}")


def exchange(name, method, url, headers, body, deadline):
    """Sends one request. Gives status, headers and body of the answer."""
    try:
        request = _outgoing(method, url, headers, body)
        sink = request.body()
        future = outgoing_handler.handle(request, None)
        failure = _attempt(_write, name, sink, body, deadline)
        # An answer that came although the body was not taken is still an answer; and why there is none is better known there.
        deadline.wait(name, future.subscribe())
        answer = future.get()
        if not isinstance(answer, Ok) or not isinstance(answer.value, Ok):
            raise answer.value if isinstance(answer, Ok) else failure or Unanswered(f"{name}: {_BROKEN}")
        with answer.value.value as response:
            with response.headers() as fields:
                answered = [(field, value.decode(errors="replace")) for field, value in fields.entries()]
            return response.status(), answered, _read(name, response, deadline)
    except Err as error:
        raise _explained(name, error.value) from None


def _attempt(write, *arguments):
    try:
        write(*arguments)
    except Err as error:
        return error
    return None


def _outgoing(method, url, headers, body):
    fields = types.Fields()
    for field, value in headers.items():
        fields.append(field, value.encode())
    if body:
        fields.append("content-length", str(len(body)).encode())
    parts = urlsplit(url)
    request = types.OutgoingRequest(fields)
    known = _METHODS.get(method)
    request.set_method(known() if known else types.Method_Other(method))
    request.set_scheme(types.Scheme_Https() if parts.scheme == "https" else types.Scheme_Http())
    request.set_authority(parts.netloc)
    request.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return request


def _write(name, sink, rest, deadline):
    with sink.write() as stream:
        while rest:
            deadline.wait(name, stream.subscribe())
            room = stream.check_write()
            stream.write(rest[:room])
            rest = rest[room:]
    types.OutgoingBody.finish(sink, None)


def _read(name, response, deadline):
    read = bytearray()
    with response.consume() as body, body.stream() as stream:
        while True:
            try:
                chunk = stream.read(READ_BYTES)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return bytes(read)
                raise Err(types.http_error_code(error.value.value)) from None
            if chunk:
                read += chunk
            else:
                deadline.wait(name, stream.subscribe())


def _explained(name, code):
    if type(code) in _REFUSALS:
        return Refused(f"{name}: {_REFUSALS[type(code)]}")
    if isinstance(code, (types.HeaderError_InvalidSyntax, types.HeaderError_Forbidden)):
        return Refused(f"{name}: the request is not valid: the host refuses one of its headers")
    if isinstance(code, types.ErrorCode_InternalError) and code.value:
        return Unanswered(f"{name}: {_BROKEN}: {code.value}")
    return Unanswered(f"{name}: {_REASONS.get(type(code), _BROKEN)}")
