"""A model behind the gateway that may read listed files: it names some, then answers."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, Field

from analysis.agent import AgentFailure
from model_gateway.call import Call, FailureKind, R
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.errors import BudgetReached
from model_gateway.material import block

LONGEST_FILE = 24_000
WISHES_SYSTEM_PROMPT = """\
You prepare a review. The user message lists the files that may be read, one name a line, and \
holds the files that everybody begins with. Name in `paths` up to 6 further files from the list \
that you want to read, exactly as they are listed, or none if you have what you need.
"""
_MOST_FILES = 6


class Wishes(BaseModel):
    """The files that an agent wants to read."""

    paths: list[str] = Field(default_factory=list, description="Up to 6 names from the list.")


class ModelClient:
    """Asks a model under a role; `repeat` distinguishes agents with the same model."""

    def __init__(
        self, model: Model, counsel: Counsel, *, role: str, reply_tokens: int, repeat: int = 0
    ) -> None:
        self._model = model
        self._counsel = counsel
        self._role = role
        self._reply_tokens = reply_tokens
        self._repeat = repeat

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def model_id(self) -> str:
        """The model's exact id."""
        return self._model.model_id

    @property
    def simulated(self) -> bool:
        """Whether the model is a simulated one."""
        return self._model.is_simulated

    async def _ask(self, key: str, system: str, user: str, shape: type[R]) -> R:
        """Return the reply to a question.

        Raises:
            AgentFailure: the reply cannot be used.
            BudgetReached: there is no room for it under a cap.
        """
        call = Call(
            key=key, system=system, user=user, schema=shape, max_output_tokens=self._reply_tokens
        )
        reply = await self._counsel.ask(self._role, self._model, call, repeat=self._repeat)
        if reply.failure is not None and reply.failure.kind is FailureKind.budget:
            raise BudgetReached(reply.failure.message)
        if reply.value is None:
            raise AgentFailure(str(reply.failure))
        return reply.value

    async def _choose(self, key: str, user: str, names: Collection[str]) -> list[str]:
        """Return the files among `names` that the model wants to read, beside those shown."""
        wishes = await self._ask(key, WISHES_SYSTEM_PROMPT, user, Wishes)
        return [name for name in dict.fromkeys(wishes.paths) if name in names][:_MOST_FILES]


def file_block(name: str, text: str, longest: int = LONGEST_FILE) -> str:
    """Return a file between tags with its name; a long one is cut at its end."""
    return block("file", text[:longest]).replace("<file>", f'<file path="{name}">', 1)
