from collections.abc import AsyncIterator

import pytest

from tests.nodes.cluster import Cluster, cluster
from tests.nodes.ways import WAYS, Way, all_ways
from tests.postgres import databases
from tests.proof.serving import Server


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Nodes over one database, on demand."""
    url = databases.fresh(empty=True)
    async with cluster(tmp_path_factory.mktemp("cluster"), url) as site:
        yield site
    databases.drop(url)


@pytest.fixture(scope="module")
async def nodes(site: Cluster) -> list[Server]:
    """Three of them, for all tests of the module: they come to an empty database at once."""
    return await site.nodes()


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, site: Cluster) -> AsyncIterator[Way]:
    """Every transport."""
    async with all_ways(site.http) as ways:
        yield ways[request.param]
