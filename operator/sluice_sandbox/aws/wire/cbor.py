"""The CBOR of smithy's rpc-v2 protocol, which boto3 1.44 speaks to Cloud Map, tagging and CloudWatch.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html and RFC 8949: integers, floats,
text, bytes, arrays, maps, tag 1 (epoch seconds) and the simple values; indefinite lengths are read,
never written. Bignums and other tags are refused: the protocol has no use for them here.
"""

from __future__ import annotations

import struct
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.wire.models import Value
from sluice_sandbox.aws.wire.rendering import EpochSeconds

_BREAK = object()
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_DEPTH = 64


def encode(value: Value) -> bytes:
    """Return the CBOR of plain data."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


def _write(value: Value, out: bytearray) -> None:
    if value is None or value is True or value is False:
        out.append({None: 0xF6, True: 0xF5, False: 0xF4}[value])
    elif isinstance(value, EpochSeconds):
        out.append(0xC1)
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, int):
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, str):
        encoded = value.encode()
        _head(3, len(encoded), out)
        out += encoded
    elif isinstance(value, (bytes, bytearray)):
        _head(2, len(value), out)
        out += value
    elif isinstance(value, dict):
        _head(5, len(value), out)
        for key, item in value.items():
            _write(key, out)
            _write(item, out)
    else:
        _head(4, len(value), out)
        for item in value:
            _write(item, out)


def _head(major: int, argument: int, out: bytearray) -> None:
    for width, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if argument < 24:
            out.append(major << 5 | argument)
            return
        if argument < 1 << (8 * width):
            out.append(major << 5 | info)
            out += argument.to_bytes(width, "big")
            return
    raise ValueError(f"{argument} does not fit CBOR's 64 bits")


def decode(data: bytes) -> Value:
    """Return the plain data of one CBOR item; raises AwsError SerializationException."""
    try:
        value, end = _read(data, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, TypeError) as error:
        raise AwsError("SerializationException", f"malformed CBOR: {error}") from error
    if end != len(data):
        raise AwsError("SerializationException", "bytes after the CBOR item")
    return value


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at
    width = {24: 1, 25: 2, 26: 4, 27: 8}[info] if info <= 27 else 0
    if not width or at + width > len(data):
        raise ValueError("bad length")
    return int.from_bytes(data[at : at + width], "big"), at + width


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise ValueError("nested too deeply")
    major, info = data[at] >> 5, data[at] & 0x1F
    at += 1
    if major == 7:
        return _read_simple(data, at, info)
    if info == 31:
        return _read_indefinite(data, at, major=major, depth=depth)
    argument, at = _argument(data, at, info)
    if major <= 1:
        return (-1 - argument if major else argument), at
    if major in {2, 3}:
        if at + argument > len(data):
            raise ValueError("string past the end")
        raw = data[at : at + argument]
        return (raw if major == 2 else raw.decode()), at + argument
    if major == 6:
        if argument != 1:
            raise ValueError(f"tag {argument} is not used by the protocol")
        return _read(data, at, depth + 1)
    return _read_items(data, at, count=argument, is_map=major == 5, depth=depth)


def _read_items(data: bytes, at: int, *, count: int, is_map: bool, depth: int) -> tuple[Any, int]:
    if count > len(data):
        raise ValueError("more items than bytes")
    items = []
    for _ in range(count * 2 if is_map else count):
        item, at = _read(data, at, depth + 1)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if is_map else items), at


def _read_indefinite(data: bytes, at: int, *, major: int, depth: int) -> tuple[Any, int]:
    items: list[Any] = []
    while True:
        item, at = _read(data, at, depth + 1)
        if item is _BREAK:
            break
        items.append(item)
    if major == 2:
        return b"".join(items), at
    if major == 3:
        return "".join(items), at
    if major == 4:
        return items, at
    if major == 5:
        return dict(zip(items[::2], items[1::2], strict=True)), at
    raise ValueError("indefinite length of a number")


def _read_simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in _SIMPLE:
        return _SIMPLE[info], at
    if info == 31:
        return _BREAK, at
    form, width = _FLOATS.get(info, ("", 0))
    if not width:
        raise ValueError(f"simple value {info}")
    return struct.unpack(form, data[at : at + width])[0], at + width
