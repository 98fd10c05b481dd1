"""VCTK: 44 hours of English sentences, read by 110 speakers (Yamagishi, Veaux and MacDonald 2019, version 0.92).

Its files are wav48_silence_trimmed/SPEAKER/SPEAKER_NUMBER_mic1.flac at 48 kHz, and the same of a second microphone, which is
not taken. What was said lies in txt/SPEAKER/SPEAKER_NUMBER.txt. The corpus names no test set; ours is the two speakers of the one
most used (Valentini-Botinhao et al. 2016, "Investigating RNN-based speech enhancement methods"), and validation is two more.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch

from anytime.data.archives import naming
from anytime.data.locate import find_any
from anytime.data.speech import SpeechConfig
from anytime.data.streamed_sounds import StreamedSounds
from anytime.errors import AnytimeError

FOLDER = "wav48_silence_trimmed"
NAME = re.compile(r"[ps]\d+_\d+_mic1\.flac")
SPEAKER = re.compile(r"[ps]\d+")
HELD_OUT = {"p226": "validation", "p287": "validation", "p232": "test", "p257": "test"}


def stream_vctk(
    split: str, root: str | Path | None = None, config: SpeechConfig | None = None, length: int | None = None
) -> StreamedSounds:
    """Lists a split of VCTK; a recording is decoded when it is asked for.

    Args:
        split: "train", "validation" or "test".
        root: the folder to look in before `$ANYTIME_DATA` and the cache, for the folder vctk/wav48_silence_trimmed.
        config: how sounds become rows.
        length: samples of a row; one second if None.

    Returns:
        The recordings of the first microphone, a row each; the classes are the speakers, held-out ones among them.

    Raises:
        AnytimeError: the set is not here, a folder of a speaker lies empty, or the split is.
    """
    place, config = find_any("vctk", (FOLDER,), root), config or SpeechConfig()
    with naming(place):
        speakers = sorted(path.name for path in place.iterdir() if SPEAKER.fullmatch(path.name))
    chosen = [speaker for speaker in speakers if HELD_OUT.get(speaker, "train") == split]
    files = {speaker: _recordings(place / speaker) for speaker in chosen}
    if not files:
        names = [speaker for speaker, held in HELD_OUT.items() if held == split]
        raise AnytimeError(f"{place} holds no {split} speakers", f"Unpack all of it, {' and '.join(names) or 'p225'} among them")
    labels = torch.tensor([speakers.index(speaker) for speaker, own in files.items() for _ in own])
    listed = [file for own in files.values() for file in own]
    return StreamedSounds("vctk", split, listed, length or config.rate, config, labels, tuple(speakers))


def _recordings(folder: Path) -> list[Path]:
    with naming(folder):
        files = sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
    if not files:
        raise AnytimeError(f"{folder} holds no recordings of microphone 1", "Unpack the archive again")
    return files
