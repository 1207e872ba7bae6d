"""Filters as the client can say them.

Its `FilterCondition` takes values of the vendor's `DynamicValue` only; a constant goes through the
additional properties of `LogicalOperatorInput`, which it writes as they are.
"""

from mixpeek.models import AndInner, LogicalOperatorInput


def condition(field, operator, value):
    return {"field": field, "operator": operator, "value": value}


def every(*conditions):
    inner = [AndInner(LogicalOperatorInput(additional_properties=one)) for one in conditions]
    return LogicalOperatorInput(AND=inner)
