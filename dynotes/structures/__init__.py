"""Models and structures: layers that a topic's model is put together from."""
