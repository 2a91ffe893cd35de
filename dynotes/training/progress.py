"""How a run speaks to the terminal: lines, a progress bar, and the end by Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tqdm import tqdm


class Interrupted(Exception):
    """Ctrl-C: the checkpoint is written, the program should end with status 130."""


def reporter(
    unit: str,
) -> tuple[Callable[[str], None], Callable[[int, int, int, str], None], Callable[[], None]]:
    """(a line on stdout, a progress bar on stderr if that is a terminal, its end).

    Args:
        unit: what the bar counts, such as "tokens".
    """
    bar = tqdm(unit=f" {unit}", unit_scale=True, disable=None, leave=False, dynamic_ncols=True)

    def say(text: str) -> None:
        bar.clear()
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def progress(epoch: int, done: int, whole: int, loss: str) -> None:
        if bar.disable:
            return
        if bar.total != whole or done < bar.n:
            bar.reset(total=whole)
        bar.set_description(f"epoch {epoch}", refresh=False)
        bar.set_postfix_str(loss, refresh=False)
        bar.update(done - bar.n)

    return say, progress, bar.close
