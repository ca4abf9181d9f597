"""A WebSocket echo, as tasks speak it: enough of RFC 6455 to prove that a tunnel carries both ways.

Text and binary frames come back as they were, pings are answered, a close is answered and ends the
connection. Extensions are never agreed on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE, PING, PONG = 0x8, 0x9, 0xA
GOING_AWAY = 1001
MAX_PAYLOAD = 1 << 20


def accept_key(key: str) -> str:
    """Return Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2)."""
    # SHA-1 is what the RFC names; it proves that the server understood, it protects nothing.
    digest = hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def frame(opcode: int, payload: bytes, *, mask: bytes = b"") -> bytes:
    """Return one final frame; clients must give a `mask` of four bytes."""
    length = len(payload)
    bit = 0x80 if mask else 0
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, bit | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, bit | 127, length)
    return head + mask + (_masked(payload, mask) if mask else payload)


def goodbye() -> bytes:
    """Return the close frame of a server that goes away."""
    return frame(CLOSE, struct.pack("!H", GOING_AWAY))


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Read one frame: its first byte, its opcode and its payload without mask."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    if length > MAX_PAYLOAD:
        raise ConnectionError("a frame is larger than this echo accepts")
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(length)
    return first, first & 0x0F, _masked(payload, mask) if mask else payload


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo frames until the peer closes or goes away."""
    while True:
        first, opcode, payload = await read_frame(reader)
        if opcode == CLOSE:
            writer.write(frame(CLOSE, payload[:2]))
            await writer.drain()
            return
        if opcode == PING:
            writer.write(frame(PONG, payload))
        elif opcode != PONG:
            answer = frame(opcode, payload)
            writer.write(bytes([first]) + answer[1:])
        await writer.drain()


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
