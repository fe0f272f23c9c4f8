from vrnn.data.module import TraceDataModule
from vrnn.data.windows import Batch, TraceLoader, TraceSet

__all__ = ["Batch", "TraceDataModule", "TraceLoader", "TraceSet"]
