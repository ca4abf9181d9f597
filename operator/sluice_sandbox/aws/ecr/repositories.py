"""Repositories: created, described, deleted, tagged, and their settings.

Source: botocore's ecr model and its documentation strings; wordings from public issues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecr.images import DEFAULT_PAGE, Registered, bad_token
from sluice_sandbox.aws.ecr.state import Repository, Tags, invalid, repository_not_found
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.pages import page
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TAGS = 50


class RepositoryCalls:
    """The calls about repositories."""

    def __init__(self, desk: Registered) -> None:
        """Work on the registry."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateRepository": self.create,
            "DescribeRepositories": self.describe,
            "DeleteRepository": self.delete,
            "PutImageTagMutability": self.put_mutability,
            "PutImageScanningConfiguration": self.put_scanning,
            "BatchGetRepositoryScanningConfiguration": self.batch_get_scanning,
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a repository; MUTABLE tags, no scan on push and AES256 unless said otherwise."""
        account = params.get("registryId") or caller.account
        if account != caller.account:
            raise AwsError("AccessDeniedException", f"Registry {account} belongs to another account")
        registry = self._desk.state.own(caller)
        name = params["repositoryName"]
        if name in registry.repositories:
            raise AwsError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists in the registry with id '{account}'",
            )
        encryption = dict(params.get("encryptionConfiguration") or {"encryptionType": "AES256"})
        if encryption["encryptionType"] != "AES256":
            encryption.setdefault("kmsKey", f"arn:aws:kms:{caller.region}:{account}:alias/aws/ecr")
        elif "kmsKey" in encryption:
            raise invalid("Invalid parameter: a KMS key needs encryptionType KMS or KMS_DSSE")
        repository = registry.repositories[name] = Repository(
            arn=f"arn:aws:ecr:{caller.region}:{account}:repository/{name}",
            name=name,
            account=account,
            uri=f"{account}.dkr.ecr.{caller.region}.amazonaws.com/{name}",
            created_at=self._desk.clock.now(),
            settings={
                "imageScanningConfiguration": {
                    "scanOnPush": (params.get("imageScanningConfiguration") or {}).get("scanOnPush", False)
                },
                "encryptionConfiguration": encryption,
                **_mutability(params),
            },
            tags=merged({}, params.get("tags", ())),
        )
        return {"repository": shown(repository)}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Describe the repositories of a registry, all or those named, in order of their names."""
        account = params.get("registryId") or caller.account
        known = self._desk.state.registry(account, caller.region).repositories
        names = params.get("repositoryNames")
        if names:
            if "maxResults" in params or "nextToken" in params:
                raise invalid("maxResults and nextToken cannot be used with repositoryNames")
            for name in names:
                if name not in known:
                    raise repository_not_found(name, account)
            return {"repositories": [shown(known[name]) for name in dict.fromkeys(names)]}
        chosen, token = page(
            [known[name] for name in sorted(known)],
            params.get("nextToken"),
            size=params.get("maxResults", DEFAULT_PAGE),
            key=lambda repository: repository.name,
            refusal=bad_token(),
        )
        answer: Response = {"repositories": [shown(repository) for repository in chosen]}
        return answer | ({"nextToken": token} if token else {})

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete an empty repository, or any with `force`."""
        repository = self._desk.state.repository(caller, params)
        if repository.images and not params.get("force"):
            raise AwsError(
                "RepositoryNotEmptyException",
                f"The repository with name '{repository.name}' in registry with id '{repository.account}' "
                "cannot be deleted because it still contains images",
            )
        del self._desk.state.registry(repository.account, caller.region).repositories[repository.name]
        return {"repository": shown(repository)}

    def put_mutability(self, caller: Caller, params: Params) -> Response:
        """Choose whether tags may be overwritten."""
        repository = self._desk.state.repository(caller, params)
        repository.settings.pop("imageTagMutabilityExclusionFilters", None)
        repository.settings |= _mutability(params)
        return _named(repository) | _mutability(params)

    def put_scanning(self, caller: Caller, params: Params) -> Response:
        """Keep whether images are to be scanned on push; nothing scans here."""
        repository = self._desk.state.repository(caller, params)
        scanning = {"scanOnPush": params["imageScanningConfiguration"].get("scanOnPush", False)}
        repository.settings["imageScanningConfiguration"] = scanning
        return _named(repository) | {"imageScanningConfiguration": scanning}

    def batch_get_scanning(self, caller: Caller, params: Params) -> Response:
        """Tell the scanning settings of repositories, with failures for those that do not exist."""
        known = self._desk.state.own(caller).repositories
        found, failures = [], []
        for name in params["repositoryNames"]:
            if name in known:
                scans = known[name].settings["imageScanningConfiguration"]["scanOnPush"]
                found.append(
                    {
                        "repositoryArn": known[name].arn,
                        "repositoryName": name,
                        "scanOnPush": scans,
                        "scanFrequency": "SCAN_ON_PUSH" if scans else "MANUAL",
                        "appliedScanFilters": [],
                    }
                )
            else:
                reason = repository_not_found(name, caller.account).message
                failures.append(
                    {
                        "repositoryName": name,
                        "failureCode": "REPOSITORY_NOT_FOUND",
                        "failureReason": reason,
                    }
                )
        return {"scanningConfigurations": found, "failures": failures}

    def tag(self, caller: Caller, params: Params) -> Response:
        """Put tags over a repository's."""
        repository = self._by_arn(caller, params["resourceArn"])
        repository.tags = merged(repository.tags, params["tags"])
        return {}

    def untag(self, caller: Caller, params: Params) -> Response:
        """Remove tags; absent ones are no error."""
        repository = self._by_arn(caller, params["resourceArn"])
        repository.tags = {
            key: value for key, value in repository.tags.items() if key not in params["tagKeys"]
        }
        return {}

    def list_tags(self, caller: Caller, params: Params) -> Response:
        """List a repository's tags."""
        tags = self._by_arn(caller, params["resourceArn"]).tags
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _by_arn(self, caller: Caller, arn: str) -> Repository:
        for repository in self._desk.state.own(caller).repositories.values():
            if repository.arn == arn:
                return repository
        if ":repository/" not in arn:
            raise invalid(f"Invalid parameter at 'resourceArn' failed to satisfy constraint: '{arn}'")
        raise repository_not_found(arn.partition(":repository/")[2], caller.account)


def merged(present: Tags, given: Any) -> Tags:  # noqa: ANN401 - a list of Key and Value
    """Return `present` with `given` over it; raises InvalidTagParameterException, TooManyTagsException."""
    wanted = dict(present)
    seen: set[str] = set()
    for tag in given:
        key = tag["Key"]
        if key.lower().startswith("aws:") or not 1 <= len(key) <= 128 or len(tag["Value"]) > 256:
            text = "Invalid parameter at 'Tags' failed to satisfy constraint: 'Tag keys have 1 to 128 and "
            text += "values up to 256 characters, and the prefix aws: is reserved'"
            raise AwsError("InvalidTagParameterException", text)
        if key in seen:
            raise AwsError("InvalidTagParameterException", f"Duplicate tag key: {key}")
        seen.add(key)
        wanted[key] = tag["Value"]
    if len(wanted) > MAX_TAGS:
        text = (
            f"The list of tags on the repository is over the limit. The maximum number of tags is {MAX_TAGS}."
        )
        raise AwsError("TooManyTagsException", text)
    return wanted


def shown(repository: Repository) -> Response:
    """Return a repository as the API describes it."""
    return {
        "repositoryArn": repository.arn,
        "registryId": repository.account,
        "repositoryName": repository.name,
        "repositoryUri": repository.uri,
        "createdAt": repository.created_at,
        **repository.settings,
    }


def _named(repository: Repository) -> Response:
    return {"registryId": repository.account, "repositoryName": repository.name}


def _mutability(params: Params) -> dict[str, Any]:
    setting = params.get("imageTagMutability", "MUTABLE")
    filters = params.get("imageTagMutabilityExclusionFilters")
    if bool(filters) != setting.endswith("_WITH_EXCLUSION"):
        raise invalid(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
            "'filters are needed with, and only with, a mutability with exclusion'"
        )
    return {"imageTagMutability": setting} | (
        {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    )
