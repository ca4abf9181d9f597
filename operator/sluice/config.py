"""The operator's settings: file < environment < flags, checked once, then frozen.

A setting has one name, spelled as in the chart's values (`installationId`); its environment variable is
that name in capitals with `SLUICE_` before it (`SLUICE_INSTALLATION_ID`, nested ones joined by `_`:
`SLUICE_AWS_BUDGET_SHARE`), its flag the same with dashes (`--installation-id`). Accounts and tenancy
come from the file alone: they are too structured for the other two. An unknown key is refused with its
path, because a setting that is spelled wrong and ignored is an outage waiting to happen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic import model_validator as _model_validator

from sluice.config_aws_events import AwsEventsSettings
from sluice.config_notifications import NotificationSettings, withheld
from sluice.config_section import Seconds
from sluice.config_section import Section as _Section
from sluice.model.binding import Binding
from sluice.model.discovery import PROPAGATION
from sluice.model.tenancy import ALL, PRIORITIES, ListenerGrant, Tenancy, TenancyRule
from sluice.telemetry.cost import Price, Prices

_PREFIX: Final = "SLUICE_"
_WITHHELD: Final = "(set)"  # what is shown instead of a value that could open a door
_LONGEST_WRITE: Final = 10.0  # an AWS write: connect 2 s, read 8 s (aws.gateway.CALL_SECONDS)
_INSTALLATION = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"


class ConfigError(Exception):
    """The configuration cannot be used; the text names every offending path and where it came from."""


class AwsSettings(_Section):
    """How AWS is called."""

    budgets: bool = True
    """Keep below the published request rates; off only where nothing else shares the account (bench)."""
    budget_share: float = Field(default=0.5, gt=0, le=1)
    """Part of each published rate that Sluice may use; the rest stays for people and other tools."""
    image_times: bool = False
    """Ask ECR when a new image was pushed, for lead times where no commit is annotated."""


class LeaseSettings(_Section):
    """Leader election (decision 10)."""

    enabled: bool = True
    name: str = "sluice"
    namespace: str = ""
    """Namespace of the Lease; '' is the operator's own (its service account's, else `default`)."""
    duration: Seconds = 30
    renew_deadline: Seconds = 20
    retry_period: Seconds = 4

    @_model_validator(mode="after")
    def _ordered(self) -> LeaseSettings:
        if not self.retry_period * 2 < self.renew_deadline < self.duration:
            raise ValueError("needs 2 x retryPeriod < renewDeadline < duration")
        if self.duration < _LONGEST_WRITE + self.retry_period:
            # A write starts only while the Lease outlives it (decision 10): none would ever start.
            raise ValueError(f"duration must be at least {_LONGEST_WRITE:g}s plus retryPeriod")
        return self


class HttpSettings(_Section):
    """Where probes and metrics are served."""

    address: str = "127.0.0.1"
    """The chart sets 0.0.0.0: the kubelet and Prometheus come from outside the pod."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes any free port (tests); it is logged."""


class LogSettings(_Section):
    """Logging to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class TracingSettings(_Section):
    """OpenTelemetry spans; what is left open comes from OTEL_* variables (docs/tracing.md)."""

    enabled: bool = False
    endpoint: str = ""
    """Base URL of the OTLP/HTTP receiver; '' leaves it to OTEL_EXPORTER_OTLP_ENDPOINT."""
    sample_ratio: float = Field(default=1.0, ge=0, le=1)
    """Part of the passes in which somebody waits for something."""
    rest_sample_ratio: float = Field(default=0.01, ge=0, le=1)
    """Part of the passes that only look whether an object at rest is as it should be."""

    @field_validator("endpoint")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("is no URL like http://collector.observability:4318")
        if parts.username or parts.password:
            raise ValueError("holds credentials, and settings are logged; use OTEL_EXPORTER_OTLP_HEADERS")
        return value


class PriceSettings(_Section):
    """Prices of an hour; 0 is not known."""

    vcpu_hour: float = Field(default=0, ge=0)
    gb_hour: float = Field(default=0, ge=0)


class CostSettings(_Section):
    """What `sluice_deployment_cost_total` is made with; without a price there is no such series."""

    currency: str = Field(default="USD", min_length=1, max_length=16)
    fargate: PriceSettings = PriceSettings()
    fargate_arm64: PriceSettings = PriceSettings()
    fargate_spot: PriceSettings = PriceSettings()

    @property
    def prices(self) -> Prices:
        """Return what the meter works with."""
        return Prices(
            currency=self.currency,
            fargate=Price(**self.fargate.model_dump()),
            fargate_arm64=Price(**self.fargate_arm64.model_dump()),
            fargate_spot=Price(**self.fargate_spot.model_dump()),
        )


class AccountSettings(_Section):
    """An AWS account and region that tenancy rules can name."""

    account_id: str = Field(default="", pattern=r"^(\d{12})?$")
    region: str = ""
    """'' is the operator's region."""
    role_arn: str = ""
    external_id: str = ""


class GrantSettings(_Section):
    """`model.tenancy.ListenerGrant` as the file has it."""

    load_balancer: str = "*"
    listener_arn: str = ""
    ports: tuple[int, ...] = ()
    priorities: tuple[int, int] = PRIORITIES

    @field_validator("priorities")
    @classmethod
    def _range(cls, value: tuple[int, int]) -> tuple[int, int]:
        first, last = value
        if not PRIORITIES[0] <= first <= last <= PRIORITIES[1]:
            raise ValueError("needs 1 <= first <= last <= 50000, ALB's range")
        return value


class RuleSettings(_Section):
    """`model.tenancy.TenancyRule` as the file has it."""

    name: str = Field(min_length=1)
    namespaces: tuple[str, ...] = ALL
    namespace_labels: dict[str, str] = Field(default_factory=dict)
    account: str = ""
    clusters: tuple[str, ...] = ALL
    default_cluster: str = ""
    task_roles: tuple[str, ...] = ()
    execution_roles: tuple[str, ...] = ()
    default_task_role: str = ""
    default_execution_role: str = ""
    service_account_roles: dict[str, str] = Field(default_factory=dict)
    listeners: tuple[GrantSettings, ...] = ()
    hostnames: tuple[str, ...] = ()
    default_network_configuration: dict[str, Any] = Field(default_factory=dict)
    cloud_map_namespaces: tuple[str, ...] = ()
    create_cloud_map_namespaces: bool = False
    secret_sync: bool = False

    def rule(self) -> TenancyRule:
        """Return the model's rule."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "listeners"}
        grants = tuple(ListenerGrant(**grant.model_dump()) for grant in self.listeners)
        return TenancyRule(**values, listeners=grants)


PERMISSIVE: Final = RuleSettings(
    name="everyone",
    task_roles=ALL,
    execution_roles=ALL,
    listeners=(GrantSettings(),),
    hostnames=ALL,
    cloud_map_namespaces=ALL,
    create_cloud_map_namespaces=True,
)
"""The rule of a single-tenant start, `model.tenancy.permissive_rule` as the file would have it."""


class Settings(_Section):
    """Everything the operator can be told. Durations are seconds once read."""

    installation_id: str = Field(pattern=_INSTALLATION)
    """Part of every AWS name and owner tag: two installations in one account differ in it (decision 9)."""
    region: str = ""
    """AWS region; '' leaves it to AWS_REGION and the profile."""
    endpoint_url: str = ""
    """AWS endpoint for all services (the sandbox's); '' leaves it to AWS_ENDPOINT_URL."""
    kubeconfig: str = ""
    """Path of a kubeconfig; '' is the service account, else $KUBECONFIG."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty is all (cluster-wide permissions)."""
    workers: int = Field(default=16, ge=1, le=64)
    drift_interval: Seconds = 60
    """Oldest that what is known of services and rules gets."""
    drift_attributes_interval: Seconds = 600
    """The same for target-group attributes and tags."""
    discovery_propagation: Seconds = PROPAGATION
    """How long an answer of Cloud Map may be on its way after it changed: what leaves waits at least that."""
    dry_run: bool = False
    """Log AWS writes instead of making them."""
    suspend: bool = False
    """Observe and report only; nothing is written to AWS."""
    object_metrics: bool = True
    """Series per custom resource (phase, readiness, weights)."""
    team_label: str = Field(default="team", min_length=1, max_length=317)
    """Key of the label of a Deployment whose value is the label `team` of metrics."""
    cost: CostSettings = CostSettings()
    aws: AwsSettings = AwsSettings()
    lease: LeaseSettings = LeaseSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    notifications: NotificationSettings = NotificationSettings()
    aws_events: AwsEventsSettings = AwsEventsSettings()
    accounts: dict[str, AccountSettings] = Field(default_factory=dict)
    tenancy_rules: tuple[RuleSettings, ...] = Field(default=(PERMISSIVE,), alias="tenancy")
    """First match wins; no rule, nothing allowed. Absent is one permissive rule."""

    @_model_validator(mode="after")
    def _consistent(self) -> Settings:
        names = [rule.name for rule in self.tenancy_rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tenancy: the names {twice} appear twice")
        for rule in self.tenancy_rules:
            if rule.account and rule.account not in self.accounts:
                raise ValueError(
                    f"tenancy: rule {rule.name!r} names account {rule.account!r}, not in accounts"
                )
        named = [(f"notifications: sink {sink.name!r}", sink.account) for sink in self.notifications.sinks]
        for where, account in (*named, ("awsEvents", self.aws_events.account)):
            if account and account not in self.accounts:
                raise ValueError(f"{where} names account {account!r}, not in accounts")
        return self

    @property
    def tenancy(self) -> Tenancy:
        """Return the rules and bindings that `plan.permit` works with."""
        rules = tuple(rule.rule() for rule in self.tenancy_rules)
        accounts = {
            name: Binding(
                account=account.account_id,
                region=account.region or self.region,
                role_arn=account.role_arn,
                external_id=account.external_id,
            )
            for name, account in self.accounts.items()
        }
        return Tenancy(
            rules=rules, accounts=accounts, default_binding=Binding(account="", region=self.region)
        )

    def shown(self) -> dict[str, Any]:
        """Return the settings for the start-up log line: by alias, external ids withheld."""
        data = self.model_dump(mode="json", by_alias=True)
        for account in data["accounts"].values():
            if account["externalId"]:
                account["externalId"] = _WITHHELD
        withheld(data["notifications"])
        return data


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that has an environment variable and a flag."""

    path: tuple[str, ...]
    """Path in the file: `("aws", "budgetShare")`."""
    help: str
    is_bool: bool = False

    @property
    def environment(self) -> str:
        """Return `SLUICE_AWS_BUDGET_SHARE`."""
        return _PREFIX + "_".join(_snake(part) for part in self.path).upper()

    @property
    def flag(self) -> str:
        """Return `--aws-budget-share`."""
        return "--" + "-".join(_snake(part) for part in self.path).replace("_", "-")

    @property
    def parameter(self) -> str:
        """Return the flag's parameter name: `aws_budget_share`."""
        return self.flag[2:].replace("-", "_")


OPTIONS: Final = (
    Option(("installationId",), "Name of this installation, part of every AWS name and tag. Mandatory."),
    Option(("region",), "AWS region."),
    Option(("endpointUrl",), "AWS endpoint for all services."),
    Option(("kubeconfig",), "Path of a kubeconfig; default: service account, then $KUBECONFIG."),
    Option(("watchNamespaces",), "Namespaces to serve, comma-separated; default: all."),
    Option(("workers",), "Worker threads."),
    Option(("driftInterval",), "How often services and rules are compared, e.g. 60s."),
    Option(("driftAttributesInterval",), "How often target-group attributes are compared, e.g. 10m."),
    Option(("discoveryPropagation",), "How long an answer of Cloud Map may be on its way, e.g. 30s."),
    Option(("dryRun",), "Log AWS writes instead of making them.", is_bool=True),
    Option(("suspend",), "Observe and report only.", is_bool=True),
    Option(("objectMetrics",), "Metric series per custom resource.", is_bool=True),
    Option(("teamLabel",), "Key of the Deployments' label whose value is the metrics' label team."),
    Option(("aws", "budgets"), "Keep below AWS's request rates.", is_bool=True),
    Option(("aws", "budgetShare"), "Part of each AWS request rate to use, above 0 to 1."),
    Option(("lease", "enabled"), "Leader election.", is_bool=True),
    Option(("lease", "name"), "Name of the Lease."),
    Option(("lease", "namespace"), "Namespace of the Lease."),
    Option(("lease", "duration"), "How long a Lease outlives its last renewal."),
    Option(("lease", "renewDeadline"), "How long renewals may fail before the leader gives up."),
    Option(("lease", "retryPeriod"), "How often the Lease is renewed or tried for."),
    Option(("http", "address"), "Address of probes and metrics."),
    Option(("http", "port"), "Port of probes and metrics; 0 takes a free one."),
    Option(("awsEvents", "queueUrl"), "SQS queue that EventBridge feeds with ECS events."),
    Option(("awsEvents", "driftFactor"), "How much more seldom to look while events flow, 1 to 60."),
    Option(("awsEvents", "quietAfter"), "Silence after which events count as not flowing, e.g. 15m."),
    Option(("log", "level"), "debug, info, warning or error."),
    Option(("log", "format"), "json or text."),
    Option(("tracing", "enabled"), "OpenTelemetry spans of passes and AWS calls.", is_bool=True),
    Option(
        ("tracing", "endpoint"), "Base URL of the OTLP/HTTP receiver; default: OTEL_EXPORTER_OTLP_ENDPOINT."
    ),
    Option(("tracing", "sampleRatio"), "Part of the passes with something to do that is traced, 0 to 1."),
    Option(("tracing", "restSampleRatio"), "The same for passes that only look, 0 to 1."),
)


def load(
    *, file: Path | None = None, environment: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """Merge file < environment < flags and check the result; raises ConfigError.

    `flags` maps `Option.parameter` to a value; None means that the flag was not given.
    """
    data = _read(file) if file else {}
    origins: dict[tuple[str, ...], str] = {}
    known = {option.environment: option for option in OPTIONS}
    for name, text in environment.items():  # unknown ones are left: Kubernetes makes SLUICE_SERVICE_HOST
        if name in known:
            _put(data, known[name].path, text, origins, f"environment variable {name}")
    for option in OPTIONS:
        value = (flags or {}).get(option.parameter)
        if value is not None:
            _put(data, option.path, value, origins, f"flag {option.flag}")
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(error, origins, file)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration {file} is no YAML: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"the configuration {file} is no mapping of settings")
    return data


def _put(
    data: dict[str, Any],
    path: tuple[str, ...],
    value: object,
    origins: dict[tuple[str, ...], str],
    origin: str,
) -> None:
    *parents, leaf = path
    for parent in parents:
        section = data.setdefault(parent, {})
        if not isinstance(section, dict):
            return  # the file has something else there: validation reports it
        data = section
    if leaf == "watchNamespaces" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    data[leaf] = value
    origins[path] = origin


def _explain(error: ValidationError, origins: Mapping[tuple[str, ...], str], file: Path | None) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        path = tuple(str(part) for part in problem["loc"])
        where = ".".join(path) or "(whole configuration)"
        source = origins.get(path) or (str(file) if file else "not set")
        if problem["type"] == "extra_forbidden":
            what = "is no setting"
        elif problem["type"] == "missing":
            what = "is mandatory"
            source = next((f"{o.environment} or {o.flag}" for o in OPTIONS if o.path == path), source)
        else:
            what = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what} [{source}]")
    return "the configuration cannot be used:\n  " + "\n  ".join(lines)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
