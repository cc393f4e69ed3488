"""Keeping things from one execution to the next: the tenant's key-value store.

Each bucket needs a grant: `innkeeper plugin allow NAME kv=BUCKET`.

    visits = kv.open("visits").increment(user)

What is written is an effect: an execution sees its own writes at once, everybody else sees them when it has succeeded, all
together; if it fails, nothing was written.
"""

import json

from . import Permanent, Retry
from ._host import IN_COMPONENT, missing

if IN_COMPONENT:
    from componentize_py_types import Err

    try:
        from wit_world.imports import atomics
    except ImportError:
        raise missing("kv") from None
    try:
        # The bindings call it by its package only if another interface is called `store` too.
        from wit_world.imports import wasi_keyvalue_store as store
    except ImportError:
        from wit_world.imports import store


class Error(Retry):
    """The store did not do it: a key or a value cannot be, a limit is reached, or it cannot be read."""


class AccessDenied(Permanent):
    """The bucket is not granted to the plugin, or none can have this name. The log has the command that grants it."""


def open(name):
    """The bucket of this name. One that nobody has written to yet is empty."""
    if not IN_COMPONENT:
        from . import testing

        return Bucket(name, testing.open_bucket(name))
    try:
        return Bucket(name, store.open(name))
    except Err as error:
        raise _translated(error.value, name) from None


class Bucket:
    """An open bucket. Keys are 1 to 256 bytes of text without control characters, values bytes of at most 1 MiB."""

    def __init__(self, name, bucket):
        self.name = name
        self._bucket = bucket

    def get(self, key, default=None):
        """The value under `key` as `bytes`, or `default`."""
        value = self._do(self._bucket.get, key)
        return default if value is None else value

    def get_json(self, key, default=None):
        """The value under `key`, read from JSON, or `default`."""
        value = self.get(key)
        return default if value is None else self._read(key, value)

    def set(self, key, value):
        """Puts a value, `bytes` or `str`, under `key`."""
        self._do(self._bucket.set, key, _bytes(value))

    def set_json(self, key, value):
        """Puts a value under `key`, written as JSON."""
        self.set(key, json.dumps(value))

    def delete(self, key):
        """Deletes `key`. One that is not there is as good."""
        self._do(self._bucket.delete, key)

    def exists(self, key):
        """Whether `key` is there; `key in bucket` says the same."""
        return self._do(self._bucket.exists, key)

    __contains__ = exists

    def list(self, prefix="", limit=None):
        """The keys that begin with `prefix`, in order; at most `limit`, if it is given."""
        keys, cursor = [], None
        while True:
            page = self._do(self._bucket.list_keys, cursor)
            keys += [key for key in page.keys if key.startswith(prefix)]
            last = page.keys[-1] if page.keys else ""
            is_past = last > prefix and not last.startswith(prefix)
            if page.cursor is None or is_past or (limit is not None and len(keys) >= limit):
                return keys[:limit]
            cursor = page.cursor

    def increment(self, key, delta=1):
        """Adds to the number under `key` and gives the sum, as this execution sees it; what is not there counts as 0.

        Additions of executions that run at the same time add up: none of them is lost or has to be done again.
        """
        if not IN_COMPONENT:
            return self._bucket.increment(key, delta)
        return self._do(atomics.increment, self._bucket, key, delta)

    def compare_and_swap(self, key, expected, new):
        """Puts `new` under `key` if its value is `expected` (`None`: there is none), and says whether it did.

        That is looked at again when the execution succeeds: if somebody else was faster it fails as `conflict`, nothing of
        it takes place, and it is attempted again at once, without using up an attempt.
        """
        expected = None if expected is None else _bytes(expected)
        if not IN_COMPONENT:
            return self._bucket.compare_and_swap(key, expected, _bytes(new))
        cas = self._do(atomics.Cas.new, self._bucket, key)
        if self._do(cas.current) != expected:
            return False
        try:
            atomics.swap(cas, _bytes(new))
            return True
        except Err as error:
            if isinstance(error.value, atomics.CasError_CasFailed):
                return False
            raise _translated(error.value.value, self.name) from None

    def update_json(self, key, change):
        """Puts what `change` makes of the value under `key` (or of `None`) there, so that nobody's change is lost.

        Values are JSON. `change` is called again if the value is another one by then.
        """
        while True:
            seen = self.get(key)
            new = change(None if seen is None else self._read(key, seen))
            if self.compare_and_swap(key, seen, json.dumps(new)):
                return new

    def _do(self, operation, *arguments):
        if not IN_COMPONENT:
            return operation(*arguments)
        try:
            return operation(*arguments)
        except Err as error:
            raise _translated(error.value, self.name) from None

    def _read(self, key, value):
        try:
            return json.loads(value)
        except ValueError as error:
            raise Error(f"the value under {key!r} in the bucket {self.name} is no JSON: {error}") from None


def _bytes(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def _translated(error, bucket):
    if isinstance(error, store.Error_AccessDenied):
        return AccessDenied(
            f"the bucket `{bucket}` is not granted: `innkeeper plugin allow NAME kv={bucket}` does that"
        )
    if isinstance(error, store.Error_NoSuchStore):
        return AccessDenied(f"no bucket can be called `{bucket}`: 1 to 100 ASCII letters, digits and `-_.:` are allowed")
    return Error(error.value)
