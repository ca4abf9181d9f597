"""Listener rules: one DescribeRules per listener shows all of them (about a hundred fit one load balancer).

Reads of rules prove weights, so they are never answered from our own writes: a cached list learns from
a write only for those who accept an age, and a fresh read that must be older than a write of ours is
refused as `StaleRead` (own_writes.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsFailure
from sluice.model.ownership import from_elb
from sluice.observe.arns import listener_of
from sluice.observe.batching import Batcher, ScopedName
from sluice.observe.cache import AgedCache, tick
from sluice.observe.elb_tags import ElbTagFacts
from sluice.observe.source import Source
from sluice.ports import Object

_PAGE: Final = 400  # DescribeRules, PageSize: at most 400
_ARNS: Final = 20  # from memory: what one call takes safely
_WHOLE: Final = "rules"  # the only name inside the scope of a listener


class RuleFacts:
    """Rules by (binding, listener) with `Tags` as a mapping. Thread-safe."""

    def __init__(self, source: Source, tags: ElbTagFacts) -> None:
        """Read tags through `tags`."""
        self._source = source
        self._tags = tags
        self._cache: AgedCache[ScopedName, Sequence[Object]] = AgedCache(source.settings.limit)
        self._batcher = Batcher(self._cache, clock=source.clock, limit=1)

    def rules(self, context: CallContext, listener_arn: str, *, max_age: float) -> Sequence[Object]:
        """Return the rules by priority, the default one last; not-found when the listener is gone."""
        return self._batcher.get(
            (context.binding, listener_arn),
            _WHOLE,
            max_age=max_age,
            read=lambda _names: {_WHOLE: self._read(context, listener_arn)},
        )

    def rules_by_arn(self, context: CallContext, arns: Sequence[str]) -> Mapping[str, Object]:
        """Read rules now, whatever is cached; absent ones do not exist."""
        found: dict[str, Object] = {}
        for start in range(0, len(arns), _ARNS):
            found |= self._by_arn(context, arns[start : start + _ARNS])
        for arn in arns:
            own = self._source.writes.recent(((context.binding, listener_of(arn)), arn))
            if own is not None and own.value is not None and arn not in found:
                raise _stale(f"rule {arn} was just created and is not shown yet")
        return self._with_tags(context, found.values())

    def wrote(
        self, binding: Binding, operation: str, params: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        """Take the response of CreateRule, ModifyRule, SetRulePriorities or DeleteRule."""
        changed = {rule["RuleArn"]: rule for rule in response.get("Rules", [])}
        gone = {params["RuleArn"]} if operation == "DeleteRule" else set()
        if operation == "CreateRule":
            for arn, rule in changed.items():
                self._tags.put(binding, arn, from_elb(params.get("Tags", [])))
                self._source.writes.add(((binding, params["ListenerArn"]), arn), rule)
        for arn in gone:
            self._source.writes.add(((binding, listener_of(arn)), arn), None)
        for listener in {listener_of(arn) for arn in {*changed, *gone}}:
            key: ScopedName = ((binding, listener), _WHOLE)
            held = self._cache.peek(key)
            mine = {arn: rule for arn, rule in changed.items() if listener_of(arn) == listener}
            if held is None:
                self._cache.drop(key)  # a read under way may be older than the write
                continue
            # The age stays that of the read: the write says nothing of the other rules.
            entry = self._cache.after(key, 0)
            tags = {rule["RuleArn"]: rule["Tags"] for rule in held}
            fresh = {
                arn: {**rule, "Tags": tags.get(arn) or from_elb(params.get("Tags", []))}
                for arn, rule in mine.items()
            }
            kept = {rule["RuleArn"]: rule for rule in held if rule["RuleArn"] not in gone} | fresh
            read_at = entry.read_at if entry else self._source.clock.monotonic()
            self._cache.put(key, _sorted(kept.values()), order=tick(), read_at=read_at)

    def forget(self, binding: Binding, subject: str) -> None:
        """Drop a listener's rules, by the ARN of the listener or of one of its rules."""
        listener = listener_of(subject) if ":listener-rule/" in subject else subject
        self._cache.drop(((binding, listener), _WHOLE))

    def _read(self, context: CallContext, listener_arn: str) -> Sequence[Object]:
        rules = self._source.pages(
            "elbv2",
            "DescribeRules",
            {"ListenerArn": listener_arn, "PageSize": _PAGE},
            context,
            items="Rules",
            token=("NextMarker", "Marker"),
        )
        found = {rule["RuleArn"]: rule for rule in rules}
        for subject, own in self._source.writes.since_window((context.binding, listener_arn)).items():
            arn = subject[1]  # type: ignore[index]  # since_window returns tuples (scope, ARN)
            if (arn in found) != (own.value is not None):
                did = "created" if own.value is not None else "deleted"
                raise _stale(f"rule {arn} was just {did} and the listener does not show it yet")
        return _sorted(self._with_tags(context, rules).values())

    def _by_arn(self, context: CallContext, arns: Sequence[str]) -> dict[str, Object]:
        try:
            response = self._source.read("elbv2", "DescribeRules", {"RuleArns": list(arns)}, context)
        except AwsFailure as error:
            if error.kind != "not-found":
                raise
            if len(arns) == 1:
                return {}
            # One unknown ARN spoils the call, and AWS does not say which.
            return {arn: rule for one in arns for arn, rule in self._by_arn(context, [one]).items()}
        return {rule["RuleArn"]: rule for rule in response.get("Rules", [])}

    def _with_tags(self, context: CallContext, rules: Iterable[Object]) -> dict[str, Object]:
        """Return rules by ARN with tags; one that vanished between the two calls is left out."""
        rules = list(rules)
        tags = self._tags.tags(context, [rule["RuleArn"] for rule in rules])
        return {
            rule["RuleArn"]: {**rule, "Tags": tags[rule["RuleArn"]]}
            for rule in rules
            if rule["RuleArn"] in tags
        }


def _sorted(rules: Iterable[Object]) -> tuple[Object, ...]:
    def place(rule: Object) -> float:
        text = str(rule["Priority"])
        return float(text) if text.isdigit() else float("inf")

    return tuple(sorted(rules, key=place))


def _stale(message: str) -> AwsFailure:
    return AwsFailure(
        service="elbv2", operation="DescribeRules", code="StaleRead", message=message, kind="unavailable"
    )
