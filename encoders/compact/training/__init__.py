"""The training program of the compact encoder: pictures, teachers, losses and the loop."""
