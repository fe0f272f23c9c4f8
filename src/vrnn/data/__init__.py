from vrnn.data.datamodule import TraceDataModule
from vrnn.data.loader import Batch, TraceLoader, TraceSet

__all__ = ["Batch", "TraceDataModule", "TraceLoader", "TraceSet"]
