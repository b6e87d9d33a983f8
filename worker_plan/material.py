"""How a step shows material to a model: see `model_gateway.material`."""

from model_gateway.material import block, blocks, json_block

__all__ = ["block", "blocks", "json_block"]
