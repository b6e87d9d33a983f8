"""An agent that is a model behind the gateway, with nothing but a list of files to read from."""

from __future__ import annotations

from pydantic import BaseModel, Field

from analysis.agent import AgentFailure, Brief, P
from model_gateway.call import Call, R
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.material import block

WISHES_SYSTEM_PROMPT = """\
You prepare a review. The user message lists the files that may be read, one name a line, and \
holds the files that everybody begins with. Name in `paths` up to 6 further files from the list \
that you want to read, exactly as they are listed, or none if you have what you need.
"""
MOST_FILES = 6
_LONGEST_FILE = 24_000
_LONGEST_LIST = 400
_REPLY_TOKENS = 8000


class Wishes(BaseModel):
    """The files that an agent wants to read."""

    paths: list[str] = Field(default_factory=list, description="Up to 6 names from the list.")


class ModelAgent:
    """Asks twice: which files to read, and then for the answer. What is not listed is not read."""

    def __init__(self, model: Model, counsel: Counsel, *, place: int) -> None:
        self._model = model
        self._counsel = counsel
        self._place = place

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

    async def answer(self, brief: Brief, shape: type[P]) -> P:
        """Look, and answer in `shape`."""
        names = brief.materials.names()
        begun = [_shown(brief, name) for name in brief.first]
        listed = block("files", "\n".join(names[:_LONGEST_LIST]))
        wanted = await self._ask(
            f"{brief.phase}/files", WISHES_SYSTEM_PROMPT, "\n\n".join([listed, *begun]), Wishes
        )
        wishes = [n for n in dict.fromkeys(wanted.paths) if n in names and n not in brief.first]
        more = [_shown(brief, name) for name in wishes[:MOST_FILES]]
        user = "\n\n".join([listed, *begun, *more])
        return await self._ask(f"{brief.phase}/answer", brief.instructions, user, shape)

    async def _ask(self, key: str, system: str, user: str, shape: type[R]) -> R:
        call = Call(
            key=key, system=system, user=user, schema=shape, max_output_tokens=_REPLY_TOKENS
        )
        role = f"agent-{self._place}"
        reply = await self._counsel.ask(role, self._model, call, repeat=self._place)
        if reply.value is None:
            raise AgentFailure(str(reply.failure))
        return reply.value


def _shown(brief: Brief, name: str) -> str:
    """Return a listed file between tags with its name; a long one is cut at its end."""
    text = (brief.materials.text(name) or "")[:_LONGEST_FILE]
    shown = block("file", text)
    return shown.replace("<file>", f'<file path="{name}">', 1)
