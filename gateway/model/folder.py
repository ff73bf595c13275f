"""What one delivery to a folder writes: a value between its preparation and the connector."""

from gateway.model.base import Value


class FolderRequest(Value):
    """One sub-folder, written whole or not at all.

    `name` is one safe path component; `files` are (file name, bytes); `remark` says what could not be made.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]
    remark: str = ""
