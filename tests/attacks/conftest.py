"""One sandbox per level and module, and a world around it in which an escape would leave a mark."""

import os
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from absolute_zero.executor import Sandbox
from absolute_zero.types import SandboxError

SECRET_NAME = "ABSOLUTE_ZERO_ATTACK_SECRET"
SECRET = "s3cr3t" * 2

LEVELS = (
    pytest.param("sealed", id="sealed"),
    pytest.param("filtered", id="filtered"),
    pytest.param("weak", id="weak", marks=pytest.mark.full),
)


@dataclass
class Outside:
    """What hostile programs may try to touch."""

    folder: Path
    listener: socket.socket
    spoiled: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.listener.getsockname()[1]

    def fill(self, program: str) -> str:
        program = program.replace("@FOLDER@", str(self.folder)).replace("@PORT@", str(self.port))
        return program.replace("@SECRET@", SECRET_NAME)

    def marks(self) -> list[str]:
        """What was left outside since the last call."""
        found = [f"file {path.name}" for path in self.folder.iterdir()]
        for path in self.folder.iterdir():
            path.unlink() if not path.is_dir() else path.rmdir()
        while select.select([self.listener], [], [], 0)[0]:
            connection, address = self.listener.accept()
            connection.close()
            found.append(f"connection from {address}")
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    folder.chmod(0o777)
    os.environ[SECRET_NAME] = SECRET
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield Outside(folder, listener)
    finally:
        listener.close()
        del os.environ[SECRET_NAME]


@pytest.fixture(scope="module", params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sandbox(level: str, world: Outside) -> Iterator[Sandbox]:
    """`world` first: the secret must be there when the zygotes start."""
    try:
        made = Sandbox(workers=1, minimum_level=level, level=level)
    except SandboxError as refusal:
        pytest.skip(f"level {level} is not to be had here: {refusal}")
    with made:
        assert made.level == level
        yield made
