"""The composition root: the only room that knows every other. One node = this process and its workers.

`node.run` serves; `workers.worker_parts` makes what a worker process needs, and loads nothing else.
"""
