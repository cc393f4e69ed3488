"""What a handler in Python needs: JSON in and out, failures as exceptions, events, the log.

    import innkeeper

    class Handler(innkeeper.Handler):
        def run(self, event, data):
            return {"hello": data["name"]}

Modules for what a plugin must be granted are imported by name, and a component has no more than those that are:

    from innkeeper import config, http, kv

Outside of a component (in tests) there is no host; `innkeeper.testing` takes its place.
"""

import gc
import json
import logging
import traceback

from ._host import IN_COMPONENT

if IN_COMPONENT:
    from componentize_py_types import Err
    from wit_world.exports.handler import Failure_Permanent, Failure_Retry, Failure_RetryAfter
    from wit_world.imports import context, events
    from wit_world.imports import logging as host_log


class Retry(Exception):
    """The work may succeed later: after this many seconds, if they are given, and as the task's policy says."""

    def __init__(self, message, after=None):
        super().__init__(message)
        self.after = after


class Permanent(Exception):
    """The work can never succeed: the run ends as failed at once."""


class PublishError(Exception):
    """An event was refused: its name or its data cannot be, or there are too many. It has no effect."""


class Handler:
    """The plugin's handler: a class of this name in `app.py` with a method `run(event, data)`.

    `event` is the event's name or `None`, `data` whatever JSON came along. What `run` returns is the output, if it is not
    `None`. Any exception but `Permanent` is a failure that may be retried.
    """

    def run(self, event, data):
        raise NotImplementedError("a handler has a method run(event, data)")

    def handle(self, event, data):
        """Called by the host."""
        try:
            result = self.run(event, None if data is None else json.loads(data))
            return None if result is None else json.dumps(result)
        except Permanent as error:
            raise Err(Failure_Permanent(str(error)))
        except Retry as error:
            if error.after is None:
                raise Err(Failure_Retry(str(error)))
            raise Err(Failure_RetryAfter((round(error.after * 1000), str(error))))
        except Exception as error:
            logging.error(traceback.format_exc())
            raise Err(Failure_Retry(f"{type(error).__name__}: {error}"))


def execution():
    """The execution that this call is.

    `run_id` (the same for every attempt of a run), `execution_id`, `task_id`, `attempt`, `max_attempts`, `scheduled_at`
    (`None` unless a schedule started it), `started_at`, `deadline`, `metadata` (JSON text or `None`), `tenant`,
    `plugin_digest`.
    """
    if IN_COMPONENT:
        return context.current()
    from . import testing

    return testing.scenario().execution


def traceparent():
    """Where the execution stands in a trace, as a value for the header `traceparent`; the host adds it to outgoing requests."""
    return context.traceparent() if IN_COMPONENT else None


def progress(fraction, note=""):
    """Tells how far the handler is, from 0 to 1, and what it is doing, for people who look at the execution while it runs."""
    if IN_COMPONENT:
        context.progress(fraction, note)
    else:
        from . import testing

        testing.scenario().progress.append((fraction, note))


def metadata():
    """The task's metadata, or `None`."""
    text = execution().metadata
    return None if text is None else json.loads(text)


def publish(event, data=None):
    """Publishes an event, which takes place if the execution succeeds. Raises `PublishError` if it is refused."""
    text = None if data is None else json.dumps(data)
    if IN_COMPONENT:
        try:
            events.publish(event, text)
        except Err as error:
            raise PublishError(error.value.value) from None
    else:
        from . import testing

        testing.publish(event, data)


class _HostLog(logging.Handler):
    """Sends Python's own log to the execution's."""

    def __init__(self):
        super().__init__()
        levels = host_log.Level
        self._levels = {10: levels.DEBUG, 20: levels.INFO, 30: levels.WARN, 40: levels.ERROR, 50: levels.CRITICAL}

    def emit(self, record):
        name = "" if record.name == "root" else record.name
        host_log.log(self._levels.get(record.levelno, self._levels[logging.INFO]), name, record.getMessage())


class _Nowhere(logging.Handler):
    def emit(self, record):
        self.format(record)


def _warm_up():
    """Goes the ways of a call while the component is built.

    Each call begins with the memory that the build leaves. What Python makes when code runs for the first time is there
    already, and does not cost every call a third of its time.
    """
    log = logging.Logger("innkeeper")
    log.addHandler(_Nowhere())
    handler = Handler()
    handler.run = lambda event, data: data
    for _ in range(20):
        log.info("%s", "warm")
        handler.handle("a", '{"text": "a", "numbers": [1, 2.5], "others": [true, null]}')
    gc.collect()
    gc.freeze()


if IN_COMPONENT:
    # There is one thread and one process, and no record need say which.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = logging.logAsyncioTasks = False
    logging.basicConfig(level=logging.INFO, handlers=[_HostLog()])
    _warm_up()
