"""Why a request has no answer."""

from . import Permanent, Retry


class Unanswered(Retry):
    """There is no answer, and the same request may have one later. The message says what was asked and what went wrong."""


class Refused(Permanent):
    """There is no answer, and the same request will never have one: it is not valid, or not allowed."""
