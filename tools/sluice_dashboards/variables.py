"""The choices at the top of a dashboard, and the label matchers that follow them."""

from __future__ import annotations

from typing import Final

from sluice_dashboards.model import choice, here

NAMESPACE: Final = choice("namespace", "Namespace", here("label_values(sluice_object_ready, namespace)"))
DEPLOYMENT: Final = choice(
    "deployment",
    "Deployment",
    here('label_values(sluice_deployment_info{namespace=~"$namespace"}, name)'),
)
ONE_NAMESPACE: Final = choice(
    "namespace", "Namespace", here("label_values(sluice_deployment_info, namespace)"), several=False
)
ONE_DEPLOYMENT: Final = choice(
    "deployment",
    "Deployment",
    here('label_values(sluice_deployment_info{namespace=~"$namespace"}, name)'),
    several=False,
)
TEAM: Final = choice("team", "Team", here("label_values(sluice_deployment_info, team)"))
ACCOUNT: Final = choice("account", "Account", here("label_values(sluice_aws_calls_total, account)"))
REGION: Final = choice("region", "Region", here("label_values(sluice_aws_calls_total, region)"))

IN: Final = 'namespace=~"$namespace"'
OF: Final = 'namespace=~"$namespace", name=~"$deployment"'
TO: Final = 'namespace=~"$namespace", backend=~"$deployment"'
AT: Final = 'account=~"$account", region=~"$region"'
"""Regular expressions everywhere: the same query serves one value, several and all."""
