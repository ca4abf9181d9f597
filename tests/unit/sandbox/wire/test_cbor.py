"""The CBOR codec: what it writes it reads, botocore reads it too, and rubbish is refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire import cbor
from sluice_sandbox.aws.wire.rendering import EpochSeconds

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_round_trip(value: Any) -> None:
    """Decoding what was encoded gives the value."""
    assert cbor.decode(cbor.encode(value)) == value


@given(st.lists(st.integers(0, 2**40) | st.text() | st.booleans()))
def test_botocore_reads_it(value: list[Any]) -> None:
    """The client's own parser understands the encoding."""
    parser = create_parser("smithy-rpc-v2-cbor")
    assert parser.parse_data_item(parser.get_peekable_stream_from_bytes(cbor.encode(value))) == value


def test_a_timestamp_is_tagged() -> None:
    """Epoch seconds travel under tag 1, which is how clients know a timestamp."""
    assert cbor.encode(EpochSeconds(1.5)).startswith(b"\xc1\xfb")
    assert cbor.decode(cbor.encode(EpochSeconds(1.5))) == 1.5


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"\x9f\x01\x02\xff", [1, 2], id="array"),
        pytest.param(b"\xbf\x61a\x01\xff", {"a": 1}, id="map"),
        pytest.param(b"\x7f\x61a\x61b\xff", "ab", id="text"),
        pytest.param(b"\x5f\x41a\x41b\xff", b"ab", id="bytes"),
        pytest.param(b"\xf9\x3e\x00", 1.5, id="half float"),
    ],
)
def test_reads_what_it_never_writes(data: bytes, value: Any) -> None:
    """Indefinite lengths and short floats of other clients are read."""
    assert cbor.decode(data) == value


@given(st.binary(min_size=1, max_size=40))
def test_rubbish_is_refused_not_crashed_on(data: bytes) -> None:
    """Any bytes either decode or give SerializationException; nothing else escapes."""
    try:
        cbor.decode(data)
    except AwsError as error:
        refusal = error
    else:
        return
    assert refusal.code == "SerializationException"


def test_nesting_is_bounded() -> None:
    """A thousand nested arrays are refused instead of exhausting the stack."""
    with pytest.raises(AwsError, match="nested too deeply"):
        cbor.decode(b"\x81" * 1_000 + b"\x00")
