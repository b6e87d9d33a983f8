"""An agent that is a model behind the gateway, with nothing but a list of files to read from."""

from __future__ import annotations

from analysis.agent import AgentFailure, Brief, P
from analysis.model_client import ModelClient, file_block
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.errors import BudgetReached
from model_gateway.material import block

_LONGEST_LIST = 400
_REPLY_TOKENS = 8000


class ModelAgent(ModelClient):
    """Asks two questions: which files to read, then for the answer. Only listed files are read."""

    def __init__(self, model: Model, counsel: Counsel, *, index: int) -> None:
        super().__init__(
            model, counsel, role=f"agent-{index}", reply_tokens=_REPLY_TOKENS, repeat=index
        )

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Read, and answer in `shape`."""
        names = brief.materials.names()
        first = [_shown(brief, name) for name in brief.first]
        listed = block("files", "\n".join(names[:_LONGEST_LIST]))
        others = [name for name in names if name not in brief.first]
        try:
            chosen = await self._choose(
                f"{brief.phase}/files", "\n\n".join([listed, *first]), others
            )
            more = [_shown(brief, name) for name in chosen]
            user = "\n\n".join([listed, *first, *more])
            return await self._ask(f"{brief.phase}/answer", brief.instructions, user, shape)
        except BudgetReached as error:
            raise AgentFailure(f"budget: {error}") from error


def _shown(brief: Brief, name: str) -> str:
    return file_block(name, brief.materials.text(name) or "")
