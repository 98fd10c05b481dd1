"""The classifiers that judge samples, one directory for each data set. `anytime train mnist-classifier` makes the one of MNIST.

A judge gives the features in which samples and real images are compared, and tells whether a sample is of the class asked for.
It is trained on the training images alone, and knows nothing of the models that it judges.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from anytime.files import read_yaml, write_yaml
from anytime.models.config import build
from anytime.models.directory import CONFIG, load_weights, save_weights
from anytime.networks.classifier import Classifier

JUDGES = Path(__file__).parent
WEIGHTS = "classifier.safetensors"


@dataclass(frozen=True)
class JudgeConfig:
    """What a judge's `config.yaml` holds.

    Attributes:
        name: of the judge.
        data: the data set that it was trained on.
        image: (C, H, W) of the images.
        width: channels of its first convolution.
        features: width of its features.
        classes: names of the labels.
    """

    name: str
    data: str
    image: list[int]
    width: int
    features: int
    classes: list[str] = field(default_factory=list)


def save_judge(classifier: Classifier, config: JudgeConfig, folder: Path) -> None:
    """Writes a judge; the config goes last, so a directory with a config is complete."""
    save_weights(classifier, folder / WEIGHTS)
    write_yaml(folder / CONFIG, asdict(config))


def new_classifier(config: JudgeConfig) -> Classifier:
    """The untrained classifier of a config."""
    channels, height, width = config.image
    return Classifier((channels, height, width), len(config.classes), config.width, config.features)


def load_judge(data: str) -> Classifier | None:
    """The judge of a data set, on the CPU and ready to judge.

    Args:
        data: name of a data set, "mnist" for instance, or the directory of a judge of your own.

    Returns:
        The judge, or None if there is none: `evaluate` then leaves out what needs it, and says so.

    Raises:
        AnytimeError: its files are missing, corrupt or do not belong together.
    """
    for folder in (Path(data), JUDGES / data):
        if (folder / WEIGHTS).is_file():
            classifier = new_classifier(build(JudgeConfig, read_yaml(folder / CONFIG), str(folder / CONFIG)))
            load_weights(classifier, folder / WEIGHTS)
            return classifier.eval().requires_grad_(False)
    return None
