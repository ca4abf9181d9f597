"""Layers: the upload that a container client makes before PutImage.

Source: botocore's ecr model (part order, digests, exceptions). A layer's bytes are forgotten once its digest
is checked: nothing pulls them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

from sluice_sandbox.aws.ecr.images import Registered
from sluice_sandbox.aws.ecr.state import Repository, Upload
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.refusals import unsupported
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

PART_SIZE = 20_971_520


class LayerCalls:
    """The calls about layers."""

    def __init__(self, desk: Registered) -> None:
        """Work on the registry."""
        self._desk = desk
        self._count = 0

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "InitiateLayerUpload": self.initiate,
            "UploadLayerPart": self.upload_part,
            "CompleteLayerUpload": self.complete,
            "BatchCheckLayerAvailability": self.batch_check,
            "GetDownloadUrlForLayer": self.download_url,
        }

    def initiate(self, caller: Caller, params: Params) -> Response:
        """Begin an upload."""
        repository = self._desk.state.repository(caller, params)
        self._count += 1
        upload_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{repository.arn}/{self._count}"))
        repository.uploads[upload_id] = Upload()
        return {"uploadId": upload_id, "partSize": PART_SIZE}

    def upload_part(self, caller: Caller, params: Params) -> Response:
        """Take a part; parts come in order, each beginning where the last one ended."""
        repository = self._desk.state.repository(caller, params)
        upload = _upload(repository, params)
        first, last, blob = params["partFirstByte"], params["partLastByte"], params["layerPartBlob"]
        if first != len(upload.content) or last - first + 1 != len(blob):
            raise AwsError(
                "InvalidLayerPartException",
                f"Layer part {first}-{last} with {len(blob)} bytes does not follow byte "
                f"{len(upload.content) - 1}",
                members={
                    "registryId": repository.account,
                    "repositoryName": repository.name,
                    "uploadId": params["uploadId"],
                    "lastValidByteReceived": len(upload.content) - 1,
                },
            )
        upload.content += blob
        return _place(repository, params) | {"lastByteReceived": last}

    def complete(self, caller: Caller, params: Params) -> Response:
        """Check the digest and keep the layer."""
        repository = self._desk.state.repository(caller, params)
        upload = _upload(repository, params)
        if not upload.content:
            raise AwsError(
                "EmptyUploadException", "The specified layer upload does not contain any layer parts."
            )
        digest = "sha256:" + hashlib.sha256(upload.content).hexdigest()
        if digest not in params["layerDigests"]:
            text = f"Layer digest {params['layerDigests'][0]} does not match the uploaded content's {digest}"
            raise AwsError("InvalidLayerException", text)
        del repository.uploads[params["uploadId"]]
        if digest in repository.layers:
            raise AwsError(
                "LayerAlreadyExistsException",
                f"Layer with digest '{digest}' already exists in the repository with name "
                f"'{repository.name}' in registry with id '{repository.account}'",
            )
        repository.layers[digest] = len(upload.content)
        return _place(repository, params) | {"layerDigest": digest}

    def batch_check(self, caller: Caller, params: Params) -> Response:
        """Tell which layers the repository has; a malformed digest is a failure."""
        repository = self._desk.state.repository(caller, params)
        layers, failures = [], []
        for digest in params["layerDigests"]:
            if not digest.startswith("sha256:"):
                reason = "Invalid layer digest"
                failures.append(
                    {"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": reason}
                )
            elif digest in repository.layers:
                size = repository.layers[digest]
                layers.append({"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size})
            else:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
        return {"layers": layers, "failures": failures}

    def download_url(self, caller: Caller, params: Params) -> Response:
        """Refuse: LayersNotFoundException for an unknown layer, and no layer's bytes are kept."""
        repository = self._desk.state.repository(caller, params)
        digest = params["layerDigest"]
        if digest not in repository.layers:
            raise AwsError(
                "LayersNotFoundException",
                f"The layer with digest '{digest}' does not exist in the repository with name "
                f"'{repository.name}' in the registry with id '{repository.account}'",
            )
        raise unsupported("ecr", "GetDownloadUrlForLayer")


def _upload(repository: Repository, params: Params) -> Upload:
    found = repository.uploads.get(params["uploadId"])
    if found is None:
        raise AwsError(
            "UploadNotFoundException",
            f"Upload with id '{params['uploadId']}' does not exist in the repository with name "
            f"'{repository.name}' in registry with id '{repository.account}'",
        )
    return found


def _place(repository: Repository, params: Params) -> Response:
    return {
        "registryId": repository.account,
        "repositoryName": repository.name,
        "uploadId": params["uploadId"],
    }
