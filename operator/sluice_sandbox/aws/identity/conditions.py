"""The Condition element of a policy: every operator and every key must hold.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
..._multi-value-conditions.html. Key names are compared without case. A key that the request does not
have fails a positive operator, satisfies a negated one, and satisfies any with `IfExists`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Fill = Callable[[str], str]
Test = Callable[[str, str], bool]
"""(the policy's value, the request's value)"""


def hold(element: Mapping[str, Any], context: Mapping[str, Sequence[str]], fill: Fill) -> bool:
    """Tell whether a whole Condition element holds; an operator that does not exist never does."""
    return all(
        _holds(operator, context.get(key.lower(), ()), [fill(_text(item)) for item in _many(wanted)])
        for operator, keys in element.items()
        for key, wanted in keys.items()
    )


def _many(value: Any) -> list[Any]:  # noqa: ANN401 - one value or a list
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:  # noqa: ANN401 - JSON's true and numbers are written as text
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, actual: Sequence[str], wanted: Sequence[str]) -> bool:
    qualifier, _, name = operator.rpartition(":")
    if name == "Null":
        return (not actual) == (wanted[0].lower() == "true")
    if name.endswith("IfExists"):
        if not actual:
            return True
        name = name[: -len("IfExists")]
    negated = "Not" in name
    test = _TESTS.get(name.replace("Not", ""))
    if test is None:
        return False

    def fits(value: str) -> bool:
        return any(_safely(test, item, value) for item in wanted) is not negated

    if not actual:
        return qualifier == "ForAllValues" or (negated and not qualifier)
    # Negated: none of the request's values may match; otherwise one is enough.
    every = qualifier == "ForAllValues" or (negated and qualifier != "ForAnyValue")
    return all(map(fits, actual)) if every else any(map(fits, actual))


def _safely(test: Test, wanted: str, actual: str) -> bool:
    try:
        return test(wanted, actual)
    except ValueError:
        return False


def _wild(wanted: str, actual: str) -> bool:
    from sluice_sandbox.aws.identity.policy import like  # noqa: PLC0415 - policy imports this module

    return like(wanted, actual)


def _arn(wanted: str, actual: str) -> bool:
    """Compare ARNs part by part: a `*` does not reach over a colon of the first five."""
    theirs, ours = wanted.split(":", 5), actual.split(":", 5)
    return len(theirs) == len(ours) and all(map(_wild, theirs, ours))


def _moment(text: str) -> float:
    if text.replace(".", "", 1).isdigit():
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _address(wanted: str, actual: str) -> bool:
    return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)


_TESTS: dict[str, Test] = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringEqualsIgnoreCase": lambda wanted, actual: wanted.lower() == actual.lower(),
    "StringLike": _wild,
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "NumericEquals": lambda wanted, actual: float(wanted) == float(actual),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
    "NumericLessThanEquals": lambda wanted, actual: float(actual) <= float(wanted),
    "NumericGreaterThan": lambda wanted, actual: float(actual) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, actual: float(actual) >= float(wanted),
    "DateEquals": lambda wanted, actual: _moment(wanted) == _moment(actual),
    "DateLessThan": lambda wanted, actual: _moment(actual) < _moment(wanted),
    "DateLessThanEquals": lambda wanted, actual: _moment(actual) <= _moment(wanted),
    "DateGreaterThan": lambda wanted, actual: _moment(actual) > _moment(wanted),
    "DateGreaterThanEquals": lambda wanted, actual: _moment(actual) >= _moment(wanted),
    "IpAddress": _address,
    "BinaryEquals": lambda wanted, actual: wanted == actual,
}
"""By the positive name: StringNotEquals is StringEquals negated, NotIpAddress IpAddress."""
