import json

import pytest
from PIL import Image
from tasks.test_evaluate import digits_model

from anytime.cli import main
from anytime.models.directory import save
