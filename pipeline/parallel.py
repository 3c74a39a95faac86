"""Work on a stream of items with all cores, in order, with little in memory at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

SIZE_BEFORE_A_POOL = 48 * 1024 * 1024


def ordered_map(work: Callable[[Item], Result], items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[Result]:
    """Yields `work(item)` for every item, in order.

    The first ones run here, up to SIZE_BEFORE_A_POOL bytes; only a longer stream is worth the start of worker processes.
    """
    iterator, done = iter(items), 0
    for item in iterator:
        yield work(item)
        done += size(item)
        if done >= SIZE_BEFORE_A_POOL:
            break
    following = next(iterator, None)
    if following is None:
        return
    workers = max(1, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_die_with_parent) as pool:
        running: deque[Future[Result]] = deque([pool.submit(work, following)])
        for item in iterator:
            running.append(pool.submit(work, item))
            if len(running) > workers + 1:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _die_with_parent() -> None:
    """Ends a worker when the process that started it is gone, however that one ended."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
