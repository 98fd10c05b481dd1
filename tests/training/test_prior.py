import pytest
import torch
from PIL import Image

from anytime.training.prior import CodeSet, PriorObjective
from tiny import CODES, tiny_model


@pytest.mark.parametrize("classes", [0, 1, 3, 12])
def test_a_sheet_has_ten_samples_whatever_the_number_of_classes(tmp_path, classes):
    codes = torch.zeros(4, CODES, dtype=torch.int64)
    objective = PriorObjective(tiny_model(classes=classes), CodeSet(codes, codes[:, 0] if classes else None))
    objective.picture(tmp_path / "sheet.png")
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.height > 10 * 48 and sheet.width > 4 * 48  # ten rows; 1, 2, 4 and 6 codes


def test_an_evaluation_is_the_mean_cost_of_a_whole_sequence():
    model = tiny_model()
    codes, labels = torch.randint(7, (700, CODES), generator=torch.Generator().manual_seed(0)), torch.arange(700) % 3
    values = PriorObjective(model, CodeSet(codes, labels)).evaluate()
    bits = -model.head.log_prob(model.prior(codes, labels), codes).sum(1) / torch.tensor(2.0).log()
    assert values["bits"] == pytest.approx(float(bits.mean()), rel=1e-5)
    assert values["bits_per_code"] == pytest.approx(values["bits"] / CODES)
