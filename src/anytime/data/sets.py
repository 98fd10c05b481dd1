"""Data sets by name: what each is, and how to open it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anytime.errors import AnytimeError

if TYPE_CHECKING:
    from anytime.data.images import ImageSet

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class About:
    """What a user should know of a data set before training on it.

    Args:
        title: one line on what it holds.
        source: where it comes from.
        licence: under what terms.
        shape: (C, H, W) of one image, empty if it depends on the data.
        sizes: the number of images of each split, empty if it depends on the data.
    """

    title: str
    source: str
    licence: str
    shape: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()


KNOWN = {
    "mnist": About(
        title="handwritten digits, grayscale",
        source="LeCun, Cortes and Burges (1998), http://yann.lecun.com/exdb/mnist",
        licence="CC BY-SA 3.0",
        shape=(1, 28, 28),
        sizes=(55_000, 5_000, 10_000),
    ),
    "digits": About(
        title="small handwritten digits, grayscale",
        source="Alpaydin and Kaynak (1998), UCI, https://doi.org/10.24432/C50P49, inside scikit-learn",
        licence="CC BY 4.0",
        shape=(1, 8, 8),
        sizes=(1_300, 200, 297),
    ),
    "cifar10": About(
        title="photographs of ten classes, colour",
        source="Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by its authors",
        shape=(3, 32, 32),
        sizes=(45_000, 5_000, 10_000),
    ),
    "cifar10-jpeg": About(
        title="cifar10 from a JPEG copy, which is lossy",
        source="Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html, recompressed",
        licence="none stated by its authors",
        shape=(3, 32, 32),
        sizes=(45_000, 5_000, 10_000),
    ),
    "folder:PATH": About(title="your own images: PNG, JPEG, WebP, BMP", source="a folder of yours", licence="yours"),
}


def folder_of(name: str) -> Path | None:
    """Gives the path if `name` means a folder: "folder:PATH", or the path of a directory that exists."""
    if name.startswith("folder:"):
        return Path(name.removeprefix("folder:")).expanduser()
    path = Path(name).expanduser()
    return path if name and name not in KNOWN and path.is_dir() else None


def unknown(name: str) -> AnytimeError:
    """Gives the error for a name that means no data set."""
    return AnytimeError(f"There is no data set {name!r}", f"Known are {', '.join(KNOWN)}")


def open_images(
    name: str,
    split: str,
    root: str | Path | None = None,
    validation: int | None = None,
    size: int | None = None,
) -> ImageSet:
    """Opens a split of a data set, whole in memory.

    Args:
        name: "mnist", "digits", "cifar10", "folder:PATH" or the path of an existing folder. "cifar10" is read from the
            published batches, or from a JPEG copy if they lie nowhere; "cifar10-jpeg" is the copy in any case.
        split: "train", "validation" or "test". They are disjoint, and the same on every call.
        root: the folder to look in for the data set's files, before `$ANYTIME_DATA` and the user's cache.
        validation: how many images are validation; if None, 5,000 of MNIST and CIFAR-10, 200 of digits, a tenth of a
            folder or of a part of CIFAR-10.
        size: if given, every image is brought to `size` by `size` pixels: pictures in a folder are resized and cropped, the
            images of other sets averaged over blocks if they are an integer factor larger, else resized as well.

    Returns:
        The images, uint8 (N, C, H, W) with N at least 1, and their labels if they have classes.

    Raises:
        AnytimeError: no such data set or split, a size below 1, or its files are missing or corrupt.
    """
    if size is not None and size < 1:
        raise AnytimeError(f"Images cannot be {size} pixels wide", "Choose --data.size 1 or more")
    if split not in SPLITS:
        raise AnytimeError(f"There is no split {split!r}", f"The splits are {', '.join(SPLITS)}")
    images = _open(name, split, root, validation, size)
    if not len(images):
        raise AnytimeError(f"{name} has no {split} images", "Ask for more validation images")
    return images if size is None else _resized(images, size)


def _resized(images: ImageSet, size: int) -> ImageSet:
    """Brings the images to `size` by `size` pixels, which those of a folder have already."""
    from anytime.data.resize import resize

    return replace(images, images=resize(images.images, size))


def _open(name: str, split: str, root: str | Path | None, validation: int | None, size: int | None) -> ImageSet:
    """Chooses the loader. Each is imported when it is chosen, because it imports torch."""
    folder = folder_of(name)
    if folder is not None:
        from anytime.data.folder import load_folder

        return load_folder(folder, split, validation, size)
    if name == "mnist":
        from anytime.data.mnist import load_mnist

        return load_mnist(split, root, validation)
    if name == "digits":
        from anytime.data.digits import load_digits

        return load_digits(split, validation)
    if name in ("cifar10", "cifar10-jpeg"):
        from anytime.data.cifar import load_cifar10

        return load_cifar10(name, split, root, validation)
    raise unknown(name)
