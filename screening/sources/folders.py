"""What lies below a folder: links followed, loops noticed, and what was not entered."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Found:
    """What lies below a folder.

    Attributes
    ----------
    files : list of Path
        Regular files, in the order of their names.
    unreadable : dict of str
        By name below the folder, why a folder or file cannot be looked at.
    hidden : list of str
        Names of hidden files and folders, which are passed over.
    again : list of str
        Links to folders that were entered under another name.
    special : list of str
        Pipes, sockets and devices.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)


def look_below(root: Path) -> Found:
    """Look through a folder and all below it.

    Links to folders are entered after all others, so that a crystal has the name of the place where
    it lies, and each folder once: a link may lead back to one above it.
    """
    found = Found()
    entered: set[tuple[int, int]] = set()
    waiting, links = [root], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                found.again.append(_name(folder, root))
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable[_name(folder, root)] = f"the folder cannot be listed ({_why(error)})"
            continue
        for entry in listed:
            path = Path(entry.path)
            if entry.name.startswith("."):
                found.hidden.append(_name(path, root))
            elif entry.is_symlink() and not path.exists():
                found.unreadable[_name(path, root)] = _dead_link(path)
            elif entry.is_dir():
                (links if entry.is_symlink() else waiting).append(path)
            elif entry.is_file():
                found.files.append(path)
            else:
                found.special.append(_name(path, root))
    found.files.sort()
    return found


def _dead_link(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return f"it is a link to {os.readlink(path)}, which does not exist"
    except OSError as error:
        return f"it is a link that cannot be followed ({_why(error)})"
    return "it is a link that could not be followed"


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
