"""botocore's files are parsed once for a process, and are the same for whoever asks."""

from __future__ import annotations

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.handlers import remove_bucket_from_url_paths_from_model

from sluice_sandbox.aws.wire import models


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sharing is switched on, from no file read, and undone."""
    monkeypatch.setattr(models.SharedFiles, "_files", {})
    monkeypatch.setattr(
        botocore.loaders.Loader, "FILE_LOADER_CLASS", botocore.loaders.Loader.FILE_LOADER_CLASS
    )
    models.share_files()


@pytest.mark.usefixtures("shared")
def test_two_sessions_read_one_model() -> None:
    """A second session parses nothing again; the SDK's extras, merged in twice, change nothing."""
    first = botocore.session.Session().get_service_model("s3")
    described = repr(first._service_description)
    second = botocore.session.Session().get_service_model("s3")
    assert second._service_description["shapes"] is first._service_description["shapes"]
    assert repr(second._service_description) == described


@pytest.mark.usefixtures("shared")
def test_what_a_client_writes_into_its_model() -> None:
    """An S3 client takes the bucket off its own paths; whoever reads next (moto's router, too) has them."""
    first = botocore.session.Session().get_service_model("s3").operation_model("CreateBucket")
    remove_bucket_from_url_paths_from_model({}, first, {})
    assert first.http["requestUri"] == ""
    second = botocore.session.Session().get_service_model("s3").operation_model("CreateBucket")
    assert (second.http["requestUri"], second.http.get("authPath")) == ("/{Bucket}", None)


@pytest.mark.usefixtures("shared")
def test_a_file_that_is_not_there() -> None:
    """It stays botocore's own error."""
    with pytest.raises(UnknownServiceError):
        botocore.session.Session().get_service_model("no-such-service")
