"""Work on a stream of items with all cores, in order, with little in memory at a time."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, cycle
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from pipeline import keyboard

Tool = TypeVar("Tool")
Item = TypeVar("Item")
Result = TypeVar("Result")
Last = TypeVar("Last")

SIZE_BEFORE_A_POOL = 48 * 1024 * 1024
# So much is worked on at a time, on however many cores: what comes of an item may take thirty times its size.
SIZE_IN_FLIGHT = 64 * 1024 * 1024
CORES = os.cpu_count() or 1


def threaded(work: Callable[[Item], Result], items: Iterable[Item], threads: int = CORES) -> Iterator[Result]:
    """Yields `work(item)` for every item, in order. Threads work a little ahead, which helps where they don't hold Python."""
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Result]] = deque()
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) > threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def ordered_map(
    make: Callable[[], Tool],
    use: Callable[[Tool, Item], Result],
    end: Callable[[Tool], Last],
    items: Iterable[Item],
    size: Callable[[Item], int],
    ended: list[Last],
    expected: int = 0,
) -> Iterator[Result]:
    """Yields `use(tool, item)` for every item, in order, with one tool per process; after all, `ended` has `end(tool)` of each.

    The first ones run here, up to SIZE_BEFORE_A_POOL bytes; only a longer stream is worth the start of worker processes. Where
    so many are expected, none runs here.
    """
    iterator, done = iter(items), 0
    if expected < SIZE_BEFORE_A_POOL:
        tool = make()
        for item in iterator:
            yield use(tool, item)
            done += size(item)
            if done >= SIZE_BEFORE_A_POOL:
                break
        ended.append(end(tool))
    following = next(iterator, None)
    if following is None:
        return
    with ExitStack() as pools:
        # A pool of one each: so every process can be told to end its own tool.
        workers = [pools.enter_context(_worker(make)) for _ in range(CORES)]
        turns = cycle(workers)
        running: deque[tuple[Future[Result], int]] = deque()
        in_flight = 0
        for item in chain([following], iterator):
            running.append((next(turns).submit(_apply, use, item), size(item)))
            in_flight += size(item)
            while len(running) > len(workers) + 1 or (in_flight > SIZE_IN_FLIGHT and len(running) > 1):
                future, done = running.popleft()
                yield future.result()
                in_flight -= done
        for future, _ in running:
            yield future.result()
        ended += [last.result() for last in [worker.submit(_apply_last, end) for worker in workers]]


@contextmanager
def _worker(make: Callable[[], Any]) -> Iterator[ProcessPoolExecutor]:
    """Yields a pool of one process, which is started. Only the process that started it hears Ctrl-C, and ends it then."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(make,)) as pool:
        with keyboard.deferred():
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the new process inherits
            try:
                pool.submit(os.getpid)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield pool


_tools: list[Any] = []


def _begin(make: Callable[[], Any]) -> None:
    """Makes the tool of a worker, which ends when the process that started it is gone, however that one ended."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
    _tools.append(make())


def _apply(use: Callable[[Any, Item], Result], item: Item) -> Result:
    return use(_tools[0], item)


def _apply_last(end: Callable[[Any], Last]) -> Last:
    return end(_tools[0])
