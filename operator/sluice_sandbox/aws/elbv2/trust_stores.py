"""Trust stores of mutual TLS: their books, without their certificates.

Sources: botocore's CreateTrustStore and its neighbours (names, TrustStoreInUse, associations with the
listeners that verify by a store, revocation files by id). The bundle in S3 is never read: a store is
ACTIVE at once and counts one certificate, a revocation file one entry, and no client certificate is
verified by the data plane. A trust store is never shared here, so its associations are all within
its own account. Wordings from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sluice_sandbox.aws.elbv2.desk import Desk, validation_error
from sluice_sandbox.aws.elbv2.paging import page
from sluice_sandbox.aws.elbv2.state import Region, TrustStore
from sluice_sandbox.aws.elbv2.tags import new_tags
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_BUNDLE = ("CaCertificatesBundleS3Bucket", "CaCertificatesBundleS3Key", "CaCertificatesBundleS3ObjectVersion")
_CONTENT = ("S3Bucket", "S3Key", "S3ObjectVersion")


class TrustStoreHandlers:
    """The operations on trust stores, their revocations and associations."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "CreateTrustStore": self.create,
            "DescribeTrustStores": self.describe,
            "ModifyTrustStore": self.modify,
            "DeleteTrustStore": self.delete,
            "AddTrustStoreRevocations": self.add_revocations,
            "DescribeTrustStoreRevocations": self.describe_revocations,
            "RemoveTrustStoreRevocations": self.remove_revocations,
            "DescribeTrustStoreAssociations": self.describe_associations,
            "DeleteSharedTrustStoreAssociation": self.delete_association,
            "GetTrustStoreCaCertificatesBundle": self.bundle,
            "GetTrustStoreRevocationContent": self.revocation_content,
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a trust store; unlike load balancers, the same name again is refused."""
        region, name = self._desk.region(caller), params["Name"]
        if any(item.name == name for item in region.trust_stores.values()):
            raise AwsError("DuplicateTrustStoreName", f"A trust store with the name '{name}' already exists")
        limit = self._desk.settings.quotas.trust_stores
        if len(region.trust_stores) >= limit:
            raise AwsError(
                "TooManyTrustStores", f"The maximum number of trust stores '{limit}' has been reached"
            )
        store = TrustStore(
            arn=self._desk.arn(caller, f"truststore/{name}/{self._desk.hex_id()}"),
            name=name,
            bundle=_bundle(params),
            revocations={},
            tags=new_tags(params),
        )
        region.trust_stores[store.arn] = store
        return {"TrustStores": [_shown(store)]}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return trust stores by ARN, by name or all of them, in pages."""
        region = self._desk.region(caller)
        arns, names = params.get("TrustStoreArns") or [], params.get("Names") or []
        if arns and names:
            raise validation_error("Trust store names and ARNs cannot be specified at the same time")
        chosen = [region.trust_store(arn) for arn in dict.fromkeys(arns)] or list(
            region.trust_stores.values()
        )
        if names:
            by_name = {item.name: item for item in chosen}
            missing = [name for name in names if name not in by_name]
            if missing:
                raise AwsError("TrustStoreNotFound", f"Trust stores '[{', '.join(missing)}]' not found")
            chosen = [by_name[name] for name in dict.fromkeys(names)]
        return page(params, chosen, member="TrustStores", key=lambda item: item.arn, show=_shown)

    def modify(self, caller: Caller, params: Params) -> Response:
        """Replace the bundle."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        store.bundle = _bundle(params)
        return {"TrustStores": [_shown(store)]}

    def delete(self, caller: Caller, params: Params) -> Response:
        """Delete a trust store that no listener verifies by."""
        region = self._desk.region(caller)
        store = region.trust_store(params["TrustStoreArn"])
        if associations(region, store.arn):
            raise AwsError("TrustStoreInUse", f"Trust store '{store.arn}' is currently in use by a listener")
        del region.trust_stores[store.arn]
        return {}

    def add_revocations(self, caller: Caller, params: Params) -> Response:
        """Add revocation files, numbered from one."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        contents = params.get("RevocationContents") or []
        for content in contents:
            if not content.get("S3Bucket") or not content.get("S3Key"):
                raise AwsError(
                    "RevocationContentNotFound", "A revocation file must be named by S3Bucket and S3Key"
                )
        added = []
        for content in contents:
            number = max(store.revocations, default=0) + 1
            store.revocations[number] = {
                "RevocationType": content.get("RevocationType") or "CRL",
                **{key: content[key] for key in _CONTENT if content.get(key)},
            }
            added.append(_revocation(store, number))
        return {"TrustStoreRevocations": added}

    def describe_revocations(self, caller: Caller, params: Params) -> Response:
        """Return the revocation files named, or all, in pages."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        numbers = [_known(store, number) for number in params.get("RevocationIds") or store.revocations]
        return page(
            params,
            numbers,
            member="TrustStoreRevocations",
            key=str,
            show=lambda number: _revocation(store, number),
        )

    def remove_revocations(self, caller: Caller, params: Params) -> Response:
        """Remove revocation files; all must exist."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        for number in {_known(store, number) for number in params["RevocationIds"]}:
            del store.revocations[number]
        return {}

    def describe_associations(self, caller: Caller, params: Params) -> Response:
        """Return the listeners that verify by a trust store, in pages."""
        region = self._desk.region(caller)
        store = region.trust_store(params["TrustStoreArn"])
        return page(
            params,
            associations(region, store.arn),
            member="TrustStoreAssociations",
            key=str,
            show=lambda arn: {"ResourceArn": arn},
        )

    def delete_association(self, caller: Caller, params: Params) -> Response:
        """Refuse: associations here are never with another account."""
        region = self._desk.region(caller)
        store = region.trust_store(params["TrustStoreArn"])
        if params["ResourceArn"] in associations(region, store.arn):
            raise AwsError(
                "DeleteAssociationSameAccount",
                "The association is within the account of the trust store and cannot be deleted this way",
            )
        raise AwsError("AssociationNotFound", f"Trust store '{store.arn}' has no such association")

    def bundle(self, caller: Caller, params: Params) -> Response:
        """Return where the bundle is."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        bucket, key = (store.bundle[member] for member in _BUNDLE[:2])
        return {"Location": _location(caller, bucket, key)}

    def revocation_content(self, caller: Caller, params: Params) -> Response:
        """Return where a revocation file is."""
        store = self._desk.region(caller).trust_store(params["TrustStoreArn"])
        content = store.revocations[_known(store, params["RevocationId"])]
        return {"Location": _location(caller, content["S3Bucket"], content["S3Key"])}


def associations(region: Region, arn: str) -> list[str]:
    """Return the ARNs of the load balancers' listeners that verify by a trust store."""
    return [
        listener.arn
        for listener in region.listeners.values()
        if listener.mutual_authentication.get("TrustStoreArn") == arn
    ]


def _bundle(params: Params) -> dict[str, str]:
    bundle = {key: params[key] for key in _BUNDLE if params.get(key)}
    if any(key not in bundle for key in _BUNDLE[:2]):
        raise AwsError("CaCertificatesBundleNotFound", "The CA certificates bundle does not exist")
    return bundle


def _known(store: TrustStore, number: int) -> int:
    if number not in store.revocations:
        raise AwsError("RevocationIdNotFound", f"Revocation '{number}' not found in '{store.arn}'")
    return number


def _location(caller: Caller, bucket: str, key: str) -> str:
    return f"https://{bucket}.s3.{caller.region}.amazonaws.com/{quote(key)}?X-Amz-Expires=600"


def _revocation(store: TrustStore, number: int) -> dict[str, Any]:
    return {
        "TrustStoreArn": store.arn,
        "RevocationId": number,
        "RevocationType": store.revocations[number]["RevocationType"],
        "NumberOfRevokedEntries": 1,
    }


def _shown(store: TrustStore) -> dict[str, Any]:
    return {
        "Name": store.name,
        "TrustStoreArn": store.arn,
        "Status": "ACTIVE",
        "NumberOfCaCertificates": 1,
        "TotalRevokedEntries": len(store.revocations),
    }
