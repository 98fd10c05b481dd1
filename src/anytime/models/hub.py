"""Models on the Hugging Face Hub: a repository that holds a model directory as it is."""

from __future__ import annotations

from pathlib import Path

from anytime.errors import AnytimeError

FILES = ["config.yaml", "*.safetensors"]


def download(name: str) -> Path:
    """The directory of a Hub model, from the Hub's own cache if it is there.

    Raises:
        AnytimeError: there is no such repository, or no network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = type(error).__name__
        raise AnytimeError(
            f"{name!r} is no directory, and could not be had from the Hub ({reason})",
            "Check the name and the network",
        ) from None


def publish(folder: Path, name: str) -> str:
    """Uploads a model directory to the Hub repository `name`; returns its address. Needs `hf auth login` once."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(name, exist_ok=True)
    return str(api.upload_folder(repo_id=name, folder_path=folder, allow_patterns=FILES))
