"""Small files in the formats in which CIFAR-10 is published, for tests that read them."""

from __future__ import annotations

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

FOLDER = "cifar-10-batches-py"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))


def python2_pickle(value, numpy=b"numpy.core.multiarray"):
    """What `cPickle.dumps(value, 2)` of Python 2 gives, but for its memo."""
    return b"\x80\x02" + _opcodes(value, numpy) + b"."


def _opcodes(value, numpy):
    if isinstance(value, bytes):
        return b"T" + len(value).to_bytes(4, "little") + value
    if isinstance(value, int):
        return b"J" + value.to_bytes(4, "little", signed=True)
    if isinstance(value, list):
        return b"](" + b"".join(_opcodes(item, numpy) for item in value) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(_opcodes(item, numpy) for item in value) + b"t"
    if isinstance(value, dict):
        items = (_opcodes(key, numpy) + _opcodes(item, numpy) for key, item in value.items())
        return b"}(" + b"".join(items) + b"u"
    code = value.dtype.str[1:].encode()
    kind = b"cnumpy\ndtype\n(U" + bytes([len(code)]) + code + b"K\x00K\x01tR(K\x03U\x01" + value.dtype.str[:1].encode()
    kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    made = b"c" + numpy + b"\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    return made + b"(K\x01" + _opcodes(value.shape, numpy) + kind + b"\x89" + _opcodes(value.tobytes(), numpy) + b"tb"


def pixels(name, count):
    """Images (count, 3, 32, 32) that are the same on every call, and other for each name."""
    return np.random.default_rng(list(name.encode())).integers(0, 256, (count, 3, 32, 32), np.uint8)


def batch(name, count):
    """What one batch holds; the labels go round the classes."""
    return {
        b"batch_label": b"some batch",
        b"labels": [row % 10 for row in range(count)],
        b"data": pixels(name, count).reshape(count, 3072),
        b"filenames": [b"some_%06d.png" % row for row in range(count)],
    }


def meta():
    return {b"num_cases_per_batch": 10_000, b"label_names": [name.encode() for name in CLASSES], b"num_vis": 3072}


def contents(count=10, dumps=python2_pickle):
    """The name and the content of each file, with `count` images in each batch."""
    batches = {f"{FOLDER}/{name}": dumps(batch(name, count)) for name in (*TRAIN, "test_batch")}
    return {f"{FOLDER}/batches.meta": dumps(meta())} | batches


def write_batches(place, files):
    (place / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (place / name).write_bytes(content)


def packed(files):
    """A .tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def write_archive(place, files):
    place.mkdir(parents=True, exist_ok=True)
    (place / "cifar-10-python.tar.gz").write_bytes(packed(files))


def jpeg(value, size=(32, 32), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, value, value)).save(buffer, "JPEG")
    return buffer.getvalue()


def pictures(count, shift=0):
    """JPEG pictures: picture i of class c is all 20 c + 2 i + shift."""
    each = ((number, name, 20 * label + 2 * number + shift) for label, name in enumerate(CLASSES) for number in range(count))
    return {f"{name}/{number:04}.jpg": jpeg(value) for number, name, value in each}


def write_zips(place, train=2, test=1, **more):
    """The two zip archives; `more` may replace the files of "train" or "test"."""
    place.mkdir(parents=True, exist_ok=True)
    for part, files in {"train_files": pictures(train), "test_files": pictures(test, 1), **more}.items():
        with zipfile.ZipFile(place / f"cifar10-jpeg-{part.removesuffix('_files')}.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
