"""The tools that a message may choose from."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from server.errors import documented
from server.identity import CurrentUser
from server.resources import AppResources
from server.schemas.chat import ToolOut, ToolsOut

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

router = APIRouter(tags=["chat"], responses=documented())


@router.get("/api/tools", summary="Tools")
async def list_tools(user: CurrentUser, resources: AppResources) -> ToolsOut:
    """Every tool that the agent may call, with a JSON Schema of its arguments."""
    return ToolsOut(items=[_described(tool) for tool in resources.tools])


def _described(tool: "BaseTool") -> ToolOut:
    """As the model is told: without what we hand in beside its arguments."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    told = convert_to_openai_tool(tool)["function"]
    return ToolOut(
        name=told["name"], description=told["description"], args_schema=told["parameters"]
    )
