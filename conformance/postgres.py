"""A private PostgreSQL for tests and the demo: a cluster in a temporary folder, with a socket of its own.

The programs are those of the system (Debian: `apt-get install postgresql`). PostgreSQL does not run as root:
root starts it as the system's user `postgres`.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

ADVICE = "install PostgreSQL 13 or newer (Debian: `apt-get install postgresql`)"
_START = 60
"""Seconds that a start may take."""


class PostgresMissingError(Exception):
    """No PostgreSQL can be started here; the text says why and what to do."""


class Cluster:
    """Start it, make databases, stop it; the folder goes with it."""

    def __init__(self, *, durable: bool = True, folder: Path | None = None) -> None:
        """`durable = False`: no fsync, for tests whose machine does not lose its power. `folder`: where the
        temporary folder is made.

        Raises PostgresMissingError.
        """
        self._programs = programs()
        self._user = _user()
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-pg-", dir=folder))
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._durable = durable
        try:
            self._guard = self._watch()
            how = ("-U", "gateway", "-A", "trust", "-E", "UTF8", "--no-sync")
            self._run("initdb", "-D", str(self._data), *how)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _watch(self) -> "subprocess.Popen[bytes]":
        """Who stops the server and deletes the folder when this process is gone, however it ended: the kernel
        closes our end of a pipe, and that is what the watchman waits for."""
        script = (
            f'read _; "{self._programs}/pg_ctl" -D "{self._data}" -m immediate stop; rm -rf "{self.folder}"'
        )
        return subprocess.Popen(  # our own words
            ["/bin/sh", "-c", script],
            user=self._user,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # whoever ends our whole group does not end it
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        options = ["-c listen_addresses=", f"-c unix_socket_directories={self.folder}"]
        if not self._durable:
            options += ["-c fsync=off", "-c full_page_writes=off"]
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", " ".join(options), "-w", "start")

    def stop(self, *, crash: bool = False) -> None:
        """`crash`: at once, as after a power cut; the next start recovers."""
        mode = "immediate" if crash else "fast"
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def remove(self) -> None:
        """Stop and delete all of it."""
        try:
            self.stop(crash=True)
        except PostgresMissingError:  # it did not run
            pass
        finally:
            with suppress(subprocess.TimeoutExpired):
                self._guard.communicate(timeout=_START)
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://gateway@/{database}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # our own arguments
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server keeps it open
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            timeout=_START,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        )
        if done.returncode:
            told = (done.stderr or b"").decode(errors="replace").strip()
            raise PostgresMissingError(f"{program} failed: {told or _tail(self.folder / 'log')}")


def programs() -> Path:
    """The folder of `initdb` and `pg_ctl`, the newest version. Raises PostgresMissingError."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda path: [int(part) for part in path.parent.name.split(".")])
    direct = shutil.which("initdb")
    if direct:
        found.append(Path(direct).resolve().parent)
    if not found:
        raise PostgresMissingError(f"no PostgreSQL here: {ADVICE}")
    return found[-1]


def _user() -> str | None:
    """Whom to run it as: None is the present user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise PostgresMissingError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:] if log.is_file() else "it said nothing"
