"""`hector agents`."""

import typer

from hector_nb.frontends.cli.options import JsonOption, at_place, memory_of, model_of
from hector_nb.frontends.cli.place import Place, with_service


@at_place
def agents(place: Place, as_json: JsonOption = False) -> None:
    """List the agents: the model that each of them uses, its tools, its memory."""
    from hector_nb.frontends.cli.tables import print_blocks
    from hector_nb.service import AgentInfo, SessionService
    from hector_nb.wire.codec import dumps, encode_agent

    async def work(service: SessionService) -> list[AgentInfo]:
        return list(await service.list_agents())

    found = with_service(place, work)
    if as_json:
        typer.echo(dumps({"agents": [encode_agent(agent) for agent in found]}))
        return
    print_blocks(
        ("AGENT", "MODEL", "TOOLS", "MEMORY", "DESCRIPTION"),
        [(agent.name, model_of(agent), " ".join(agent.tools), memory_of(agent), agent.description) for agent in found],
    )
