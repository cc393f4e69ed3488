"""Running a handler without a host, in tests: what takes the host's place, and what came of it.

    with testing.Scenario(metadata={"greeting": "Hi"}, values={"visits": {"ada": "41"}}) as scenario:
        assert Handler().run("user:seen", {"user": "ada"}) == 42
    assert scenario.values["visits"]["ada"] == b"42"

Nothing of this is part of a component.
"""

import json
from types import SimpleNamespace

from ._http_errors import Unanswered

_scenarios = []


class Scenario:
    """What a handler finds, and what it leaves: `events`, `values`, `requests`, `progress`.

    `metadata` is the task's; `config` has the configured values that are granted, by key; `values` what is stored, by bucket
    and key; `answers` are the `http.Response`s to the requests, in order. Whatever else is given is a field of
    `innkeeper.execution()`, such as `attempt`.
    """

    def __init__(self, metadata=None, config=None, values=None, answers=(), **execution):
        text = None if metadata is None else json.dumps(metadata)
        known = {
            "run_id": "01990000-0000-7000-8000-000000000001",
            "execution_id": "01990000-0000-7000-8000-000000000002",
            "task_id": "task",
            "attempt": 1,
            "max_attempts": 1,
            "scheduled_at": None,
            "started_at": "2025-09-01T15:00:00.000Z",
            "deadline": "2025-09-01T15:00:30.000Z",
            "metadata": text,
            "tenant": "default",
            "plugin_digest": "0" * 64,
        }
        unknown = execution.keys() - known.keys()
        if unknown:
            raise TypeError(f"an execution has no field {', '.join(sorted(unknown))}; it has {', '.join(known)}")
        self.execution = SimpleNamespace(**(known | execution))
        self.config = dict(config or {})
        self.values = {
            bucket: {key: _bytes(value) for key, value in values.items()} for bucket, values in (values or {}).items()
        }
        self.answers = list(answers)
        self.events = []
        self.requests = []
        self.progress = []

    def __enter__(self):
        _scenarios.append(self)
        return self

    def __exit__(self, *_):
        _scenarios.remove(self)


_outside = Scenario()


def scenario():
    """The scenario that the caller is in; one with nothing in it if it is in none."""
    return _scenarios[-1] if _scenarios else _outside


def publish(event, data):
    """What `innkeeper.publish` does in a scenario."""
    from . import PublishError

    if not 1 <= len(event.encode()) <= 200 or any(letter.isspace() or letter == "*" for letter in event):
        raise PublishError(f"{event!r}: 1 to 200 bytes without white space, control characters and `*` are allowed")
    scenario().events.append((event, data))


def open_bucket(name):
    """What `innkeeper.kv.open` opens in a scenario."""
    return _Bucket(scenario().values.setdefault(name, {}))


class _Bucket:
    def __init__(self, values):
        self._values = values

    def get(self, key):
        return self._values.get(key)

    def set(self, key, value):
        self._values[key] = value

    def delete(self, key):
        self._values.pop(key, None)

    def exists(self, key):
        return key in self._values

    def list_keys(self, _):
        return SimpleNamespace(keys=sorted(self._values), cursor=None)

    def increment(self, key, delta):
        total = int(self._values.get(key, b"0")) + delta
        self._values[key] = str(total).encode()
        return total

    def compare_and_swap(self, key, expected, new):
        if self._values.get(key) != expected:
            return False
        self._values[key] = new
        return True


class Deadline:
    """Time does not pass in a scenario."""

    def __init__(self, seconds):
        self.seconds = seconds


def exchange(name, method, url, headers, body, _):
    """What `innkeeper.http` sends is kept, and answered by the next of the scenario's answers."""
    here = scenario()
    here.requests.append(SimpleNamespace(method=method, url=url, headers=headers, body=body))
    if not here.answers:
        raise Unanswered(f"{name}: the scenario has no answer left")
    answer = here.answers.pop(0)
    return answer.status, answer.headers, answer.body


def _bytes(value):
    return value.encode() if isinstance(value, str) else bytes(value)
