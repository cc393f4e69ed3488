"""Describes the numbers in an event's data: how many, from where to where, and how they are spread.

The data is a list, of numbers or of objects. Of objects the task's metadata names the field: `{"field": "price"}`; what has
no number there is counted as missing.
"""

import math
import statistics

import innkeeper


class Handler(innkeeper.Handler):
    def run(self, event, data):
        settings = innkeeper.metadata() or {}
        return describe(data, settings.get("field"))


def describe(items, field=None):
    """The summary of a list."""
    if not isinstance(items, list):
        raise innkeeper.Permanent(f"the data is a list of numbers or of objects, not {type(items).__name__}")
    found = [item.get(field) if isinstance(item, dict) else item for item in items]
    numbers = [value for value in found if isinstance(value, (int, float)) and not isinstance(value, bool)]
    summary = {"count": len(numbers), "missing": len(items) - len(numbers)}
    if not numbers:
        return summary
    quartiles = statistics.quantiles(numbers, n=4, method="inclusive") if len(numbers) > 1 else numbers * 3
    summary |= {
        "min": min(numbers),
        "max": max(numbers),
        "sum": math.fsum(numbers),
        "mean": statistics.fmean(numbers),
        "median": statistics.median(numbers),
        "quartiles": quartiles,
        "deviation": statistics.pstdev(numbers),
    }
    return summary
