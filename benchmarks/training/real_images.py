"""Real images for a cell. Only kinds that may see them import this: synthesis does not."""

from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.load import load
from benchmarks.engine.context import Work


def real_images(work: Work, dataset: str, image_size: int) -> Dataset:
    """The data set of that name; fetched first if that was asked for."""
    data = work.data
    return load(dataset, root=data.root, image_size=image_size, download=data.download)
