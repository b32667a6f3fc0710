"""What a GPU does for encoders, the service and the index, and which tunings of the encoders pay there.

This has never run on a GPU: none was at hand when it was written. `tests/test_benchmarks_gpu.py` runs it on a
CPU, with a tiny network: all but the CUDA calls, which are in `cuda.py`, nvJPEG, and FAISS on a GPU.
"""
