# SPDX-License-Identifier: MIT
"""oci: sources: images in OCI layout made here, as folder and tar file."""
import gzip
import hashlib
import io
import json
import os
import tarfile

import pytest


def layer(entries):
    """A tar of (name, kind, value, mode) entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, value, mode in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid, info.mtime = mode, 5, 6, 1000
            if kind == "file":
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
                continue
            info.type = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}[kind]
            info.linkname = value
            tar.addfile(info)
    return out.getvalue()


class Layout:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "blobs/sha256"))
        self.write("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as out:
            out.write(data)

    def blob(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        self.write(f"blobs/sha256/{digest}", data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def json(self, value, kind):
        return self.blob(json.dumps(value).encode(), kind)

    def image(self, layers, architecture="arm64", **config):
        return self.json({
            "schemaVersion": 2,
            "config": self.json({"architecture": architecture, "os": "linux", "config": config}, "config.v1+json"),
            "layers": layers}, "manifest.v1+json")

    def index(self, *manifests):
        self.write("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())


def make(tool, programs, architecture="arm64"):
    layout = Layout(tool.path("oci"))
    with open(programs["static"], "rb") as data:
        program = data.read()
    first = layer([("bin", "dir", "", 0o755), ("bin/app", "file", program, 0o755), ("bin/app2", "hard", "bin/app", 0o755),
                   ("etc", "dir", "", 0o755), ("etc/passwd", "file", b"root:x:0:0::/root:/bin/sh\nweb:x:50:51::/srv:/x\n", 0o644),
                   ("gone", "file", b"x", 0o644), ("full", "dir", "", 0o755), ("full/old", "file", b"", 0o644)])
    second = layer([(".wh.gone", "file", b"", 0o644), ("full/.wh..wh..opq", "file", b"", 0o644), ("full/new", "file", b"n", 0o600)])
    image = layout.image([layout.blob(first, "layer.v1.tar"), layout.blob(gzip.compress(second), "layer.v1.tar+gzip")],
                         architecture, Entrypoint=["/bin/app"], Cmd=["x", "y z"], Env=["PATH=/bin", "A=b=c"], WorkingDir="/full", User="web")
    other = layout.image([], "amd64")
    layout.index({**other, "platform": {"architecture": "amd64", "os": "linux"}},
                 {**image, "platform": {"architecture": architecture, "os": "linux"}})
    return layout


def pack(tool, layout):
    path = tool.path("oci.tar")
    with tarfile.open(path, "w") as tar:
        tar.add(layout.folder, ".")
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_image(tool, programs, packed):
    layout = make(tool, programs)
    source = pack(tool, layout) if packed else layout.folder
    tool.ok("build", f"oci:{source}", "-o", tool.path("x.img"))
    shown = tool.ok("inspect", tool.path("x.img")).stdout.decode()
    for line in ("command   /bin/app x y z", "env       PATH=/bin A=b=c HOME=/srv", "cwd       /full", "user      50:51"):
        assert line + "\n" in shown
    assert "-0755 5:6" in shown and "/full/new" in shown and "/proc" in shown
    assert "/gone" not in shown and "/full/old" not in shown and ".wh." not in shown


def test_run(tool, programs):
    make(tool, programs)
    assert tool.ok("run", f"oci:{tool.path('oci')}", "app2", "z").stdout == b"out\n"
    tool.fails(127, "run", f"oci:{tool.path('oci')}", "nosuch", text="nosuch: not found")


def test_damaged(tool, programs):
    layout = make(tool, programs)
    blobs = os.path.join(layout.folder, "blobs/sha256")
    largest = max(os.listdir(blobs), key=lambda name: os.path.getsize(os.path.join(blobs, name)))
    with open(os.path.join(blobs, largest), "r+b") as data:
        data.seek(1000)
        data.write(b"???")
    tool.fails(125, "run", f"oci:{layout.folder}", text=["is damaged", "fetch the image again"])
    os.unlink(os.path.join(blobs, largest))
    tool.fails(125, "run", f"oci:{layout.folder}", text="is missing")
    layout.write("index.json", b"{")
    tool.fails(125, "run", f"oci:{layout.folder}", text="index.json: line 1")
    os.unlink(os.path.join(layout.folder, "index.json"))
    tool.fails(125, "run", f"oci:{layout.folder}", text="OCI layout")
    tool.fails(127, "run", "oci:/nothing", text="No such file")
    assert not os.path.isdir(f"{tool.cache}/remora/run") or os.listdir(f"{tool.cache}/remora/run") == []


def test_other_architecture(tool, programs):
    make(tool, programs, "riscv64")
    tool.fails(126, "run", f"oci:{tool.path('oci')}", text="amd64")
