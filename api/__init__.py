"""HTTP in, job ids out: a thin API that never imports torch, faiss, encoders or index."""
