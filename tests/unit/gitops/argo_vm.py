"""Argo CD's Lua as far as a script can tell: Lua 5.1 with the libraries that Argo CD opens, and no other.

Facts from argoproj/argo-cd, util/lua/lua.go: the base, table and package libraries and an `os` with `time`
and `date` alone; the object as global `obj`, absent members nil; and since an empty table can be a list or a
map, one that was a map before is one afterwards. Argo CD's own interpreter is gopher-lua; this is PUC-Rio's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lupa import lua51

SCRIPTS: Final = Path(__file__).resolve().parents[3] / "gitops" / "argo-cd" / "resource_customizations"
_OPEN: Final = frozenset(
    {
        "_G", "_VERSION", "assert", "collectgarbage", "dofile", "error", "getfenv", "getmetatable", "ipairs",
        "load", "loadfile", "loadstring", "module", "next", "newproxy", "os", "package", "pairs", "pcall",
        "print", "rawequal", "rawget", "rawset", "require", "select", "setfenv", "setmetatable", "table",
        "tonumber", "tostring", "type", "unpack", "xpcall",
    }
)  # fmt: skip
_SAFE_OS: Final = frozenset({"date", "time"})


def health(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the kind's health script says: status and message."""
    found = _run(_script(obj, "health.lua"), obj)
    assert isinstance(found, dict)
    return found


def disabled(obj: Mapping[str, Any], *, now: float | None = None) -> dict[str, bool]:
    """Return action → whether it is greyed out."""
    found = _run(_script(obj, "actions/discovery.lua"), obj, now=now)
    assert isinstance(found, dict)
    return {name: bool(entry and entry.get("disabled")) for name, entry in found.items()}


def acted(obj: Mapping[str, Any], action: str) -> dict[str, Any]:
    """Return the object as an action leaves it; raises lua51.LuaError where the script does."""
    found = _run(_script(obj, f"actions/{action}/action.lua"), obj)
    cleaned = _cleaned(found, obj)
    assert isinstance(cleaned, dict)
    return cleaned


def _script(obj: Mapping[str, Any], name: str) -> str:
    group = obj["apiVersion"].partition("/")[0]
    return (SCRIPTS / group / obj["kind"] / name).read_text(encoding="utf-8")


def _run(script: str, obj: Mapping[str, Any], *, now: float | None = None) -> Any:
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    spaces = lua.globals()
    for name in list(spaces.keys()):
        if name not in _OPEN:
            spaces[name] = None
    for name in list(spaces["os"].keys()):
        if name not in _SAFE_OS:
            spaces["os"][name] = None
    if now is not None:
        spaces["os"]["time"] = lambda: now
    # A string's methods would come from the library that is not open.
    lua.eval("getmetatable('')")["__index"] = None
    spaces["obj"] = _to_lua(lua, obj)
    return _from_lua(lua.execute(script))


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        table = lua.table()
        for name, item in value.items():
            if item is not None:
                table[name] = _to_lua(lua, item)
        return table
    if isinstance(value, list | tuple):
        return lua.table(*[_to_lua(lua, item) for item in value])
    return value


def _from_lua(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    names = list(value.keys())
    if not names:
        return []  # as gopher-json encodes an empty table
    if all(isinstance(name, int) for name in names):
        return [_from_lua(value[index]) for index in range(1, len(names) + 1)]
    return {name: _from_lua(value[name]) for name in names}


def _cleaned(new: Any, old: Any) -> Any:
    """Undo what empty tables became, as Argo CD does for what an action returns."""
    if isinstance(new, dict) and isinstance(old, Mapping):
        return {name: _cleaned(item, old.get(name)) for name, item in new.items()}
    if isinstance(new, list) and isinstance(old, Mapping):
        return new or dict(old)
    if isinstance(new, list) and isinstance(old, list):
        return [_cleaned(item, old[at] if at < len(old) else None) for at, item in enumerate(new)]
    return new
