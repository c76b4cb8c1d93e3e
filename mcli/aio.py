"""The calls of `mcli` for asyncio programs: the same names and arguments, as coroutines and async generators.

    from mcli import aio

    run = await aio.create_run(config)
    async for line in aio.follow_run_logs(run):
        print(line, end="")

A call starts when it is awaited, an iteration at its first step, and cancelling either cancels the work. `timeout` is
as in the blocking call; `future` is of no use here.
"""

from __future__ import annotations

import mcli

_CALLS = mcli._CALLS  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]  # one table for both
__all__ = sorted(name for names in _CALLS.values() for name in names)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'mcli.aio' has no attribute {name!r}")
    value = getattr(mcli, name).aio
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
