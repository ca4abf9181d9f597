"""Policies and settings: repository policy, lifecycle policy, registry policy, replication, scanning, tokens.

Kept and returned; lifecycle policies expire nothing and replication copies nothing. Source: botocore's ecr
model and its documentation strings; wordings of refusals from public issues, else from memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecr.images import Registered
from sluice_sandbox.aws.ecr.state import Repository, constraint
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

TOKEN_SECONDS = 12 * 3600.0


class PolicyCalls:
    """The calls about policies and about the registry as a whole."""

    def __init__(self, desk: Registered) -> None:
        """Work on the registry."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "SetRepositoryPolicy": self.set_policy,
            "GetRepositoryPolicy": lambda caller, params: self._policy(caller, params, remove=False),
            "DeleteRepositoryPolicy": lambda caller, params: self._policy(caller, params, remove=True),
            "PutLifecyclePolicy": self.put_lifecycle,
            "GetLifecyclePolicy": lambda caller, params: self._lifecycle(caller, params, remove=False),
            "DeleteLifecyclePolicy": lambda caller, params: self._lifecycle(caller, params, remove=True),
            "PutRegistryPolicy": self.put_registry_policy,
            "GetRegistryPolicy": lambda caller, _: self._registry_policy(caller, remove=False),
            "DeleteRegistryPolicy": lambda caller, _: self._registry_policy(caller, remove=True),
            "DescribeRegistry": self.describe_registry,
            "PutReplicationConfiguration": self.put_replication,
            "GetRegistryScanningConfiguration": self.get_scanning,
            "PutRegistryScanningConfiguration": self.put_scanning,
            "DescribeImageScanFindings": self.scan_findings,
            "GetAuthorizationToken": self.token,
            "GetAccountSetting": self.get_setting,
            "PutAccountSetting": self.put_setting,
        }

    def set_policy(self, caller: Caller, params: Params) -> Response:
        """Keep a repository's policy."""
        repository = self._desk.state.repository(caller, params)
        _statements(params["policyText"], "PolicyText", "Invalid repository policy provided")
        repository.policy = params["policyText"]
        return _named(repository) | {"policyText": repository.policy}

    def _policy(self, caller: Caller, params: Params, *, remove: bool) -> Response:
        repository = self._desk.state.repository(caller, params)
        if not repository.policy:
            raise _missing(repository, "RepositoryPolicyNotFoundException", "Repository policy")
        text = repository.policy
        if remove:
            repository.policy = ""
        return _named(repository) | {"policyText": text}

    def put_lifecycle(self, caller: Caller, params: Params) -> Response:
        """Keep a repository's lifecycle policy."""
        repository = self._desk.state.repository(caller, params)
        _check_lifecycle(params["lifecyclePolicyText"])
        repository.lifecycle = params["lifecyclePolicyText"]
        repository.lifecycle_evaluated_at = self._desk.clock.now()
        return _named(repository) | {"lifecyclePolicyText": repository.lifecycle}

    def _lifecycle(self, caller: Caller, params: Params, *, remove: bool) -> Response:
        repository = self._desk.state.repository(caller, params)
        if not repository.lifecycle:
            raise _missing(repository, "LifecyclePolicyNotFoundException", "Lifecycle policy")
        answer = _named(repository) | {
            "lifecyclePolicyText": repository.lifecycle,
            "lastEvaluatedAt": repository.lifecycle_evaluated_at,
        }
        if remove:
            repository.lifecycle = ""
        return answer

    def put_registry_policy(self, caller: Caller, params: Params) -> Response:
        """Keep the registry's policy."""
        _statements(params["policyText"], "PolicyText", "Invalid registry policy provided")
        registry = self._desk.state.own(caller)
        registry.policy = params["policyText"]
        return {"registryId": caller.account, "policyText": registry.policy}

    def _registry_policy(self, caller: Caller, *, remove: bool) -> Response:
        registry = self._desk.state.own(caller)
        if not registry.policy:
            text = f"Registry policy does not exist in the registry with id '{caller.account}'"
            raise AwsError("RegistryPolicyNotFoundException", text)
        text = registry.policy
        if remove:
            registry.policy = ""
        return {"registryId": caller.account, "policyText": text}

    def describe_registry(self, caller: Caller, _: Params) -> Response:
        """Tell the registry's id and replication."""
        replication = self._desk.state.own(caller).replication
        return {"registryId": caller.account, "replicationConfiguration": replication}

    def put_replication(self, caller: Caller, params: Params) -> Response:
        """Keep the replication rules."""
        registry = self._desk.state.own(caller)
        registry.replication = params["replicationConfiguration"]
        return {"replicationConfiguration": registry.replication}

    def get_scanning(self, caller: Caller, _: Params) -> Response:
        """Tell the scanning rules."""
        scanning = self._desk.state.own(caller).scanning
        return {"registryId": caller.account, "scanningConfiguration": scanning}

    def put_scanning(self, caller: Caller, params: Params) -> Response:
        """Keep the scanning rules."""
        registry = self._desk.state.own(caller)
        registry.scanning = {"scanType": params.get("scanType", "BASIC"), "rules": params.get("rules", [])}
        return {"registryScanningConfiguration": registry.scanning}

    def scan_findings(self, caller: Caller, params: Params) -> Response:
        """Refuse with ScanNotFoundException: no image was ever scanned."""
        repository = self._desk.state.repository(caller, params)
        image_id = params["imageId"]
        digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
        raise AwsError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' "
            f"in the repository with name '{repository.name}' in the registry with id '{repository.account}'",
        )

    def token(self, caller: Caller, params: Params) -> Response:
        """Give out a token for `docker login`, valid twelve hours: user AWS and a password."""
        accounts = params.get("registryIds") or [caller.account]
        expires = self._desk.clock.now() + TOKEN_SECONDS
        return {
            "authorizationData": [
                {
                    "authorizationToken": base64.b64encode(
                        f"AWS:sandbox-{account}-{caller.region}-{int(expires)}".encode()
                    ).decode(),
                    "expiresAt": expires,
                    "proxyEndpoint": f"https://{account}.dkr.ecr.{caller.region}.amazonaws.com",
                }
                for account in accounts
            ]
        }

    def get_setting(self, caller: Caller, params: Params) -> Response:
        """Tell one of the registry's settings."""
        name = _setting(params["name"])
        return {"name": name, "value": self._desk.state.own(caller).settings.get(name, _SETTINGS[name][0])}

    def put_setting(self, caller: Caller, params: Params) -> Response:
        """Change one of the registry's settings."""
        name = _setting(params["name"])
        if params["value"] not in _SETTINGS[name]:
            raise AwsError("ValidationException", f"{name} is one of {', '.join(_SETTINGS[name])}")
        self._desk.state.own(caller).settings[name] = params["value"]
        return {"name": name, "value": params["value"]}


_SETTINGS = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE", "CLAIR"),
    "REGISTRY_POLICY_SCOPE": ("V2", "V1"),
    "BLOB_MOUNTING": ("DISABLED", "ENABLED"),
}
"""PutAccountSetting's names and values by its documentation string; the default is first."""


def _setting(name: str) -> str:
    if name not in _SETTINGS:
        raise AwsError("ValidationException", f"{name} is not one of {', '.join(_SETTINGS)}")
    return name


def _statements(text: str, member: str, complaint: str) -> None:
    try:
        content = json.loads(text)
    except ValueError:
        raise constraint(member, complaint) from None
    if not isinstance(content, dict) or not content.get("Statement"):
        raise constraint(member, complaint)


def _check_lifecycle(text: str) -> None:
    """Refuse what is no lifecycle policy (its parameters: ECR user guide, lifecycle policy properties)."""
    complaint = "Lifecycle policy validation failure: "
    try:
        rules = json.loads(text)["rules"]
        priorities = [rule["rulePriority"] for rule in rules]
        problems = [problem for rule in rules for problem in _rule_problems(rule)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise constraint("LifecyclePolicyText", f"{complaint}{type(error).__name__}: {error}") from None
    if not rules:
        problems.append("rules: at least one is needed")
    if len(set(priorities)) < len(priorities):
        problems.append("rulePriority: must be unique")
    if problems:
        raise constraint("LifecyclePolicyText", complaint + "; ".join(problems))


def _rule_problems(rule: Mapping[str, Any]) -> list[str]:
    selection, action = rule["selection"], rule["action"]
    problems = []
    if selection["tagStatus"] not in {"tagged", "untagged", "any"}:
        problems.append("tagStatus: tagged, untagged or any")
    if selection["tagStatus"] == "tagged" and not (
        selection.get("tagPrefixList") or selection.get("tagPatternList")
    ):
        problems.append("tagStatus tagged needs tagPrefixList or tagPatternList")
    if selection["countType"] not in {
        "imageCountMoreThan",
        "sinceImagePushed",
        "sinceImagePulled",
        "sinceImageTransitioned",
    }:
        problems.append("countType: unknown")
    if not selection["countNumber"] >= 1:
        problems.append("countNumber: at least 1")
    if action["type"] not in {"expire", "transition"}:
        problems.append("action: expire or transition")
    return problems


def _missing(repository: Repository, code: str, what: str) -> AwsError:
    return AwsError(
        code,
        f"{what} does not exist for the repository with name '{repository.name}' "
        f"in the registry with id '{repository.account}'",
    )


def _named(repository: Repository) -> Response:
    return {"registryId": repository.account, "repositoryName": repository.name}
