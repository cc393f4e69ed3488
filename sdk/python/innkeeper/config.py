"""Settings and secrets that the tenant has configured.

Each key needs a grant: `innkeeper plugin allow NAME config=KEY`. A secret is read like any other value; the host keeps it
out of the execution's log, output and error message.
"""

from . import Permanent, Retry
from ._host import IN_COMPONENT, missing

if IN_COMPONENT:
    from componentize_py_types import Err

    try:
        # The bindings call it by its package only if another interface is called `store` too.
        from wit_world.imports import wasi_config_store as store
    except ImportError:
        try:
            from wit_world.imports import store
        except ImportError:
            raise missing("config") from None
        if not hasattr(store, "get_all"):
            raise missing("config") from None


def get(key, default=None):
    """The value under `key`; `default` if there is none, or if the key is not granted: the log tells the two apart."""
    if not IN_COMPONENT:
        from . import testing

        return testing.scenario().config.get(key, default)
    try:
        value = store.get(key)
    except Err as error:
        raise Retry(f"the configuration cannot be read: {error.value.value}") from None
    return default if value is None else value


def require(key):
    """The value under `key`, without which the handler cannot do its work: it fails for good, and says how to set it."""
    value = get(key)
    if value is None:
        raise Permanent(
            f"the configuration key `{key}` has no value for this plugin: set it with `innkeeper config set {key}` and "
            f"grant it with `innkeeper plugin allow NAME config={key}`"
        )
    return value
