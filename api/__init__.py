"""The HTTP API: it accepts work and returns job ids, and never imports torch, faiss, encoders or index."""
