"""Network load balancers over real sockets: connections carried to targets, byte by byte."""

from __future__ import annotations

from urllib.parse import urlsplit

from elb_world import CERTIFICATE, forward
from http_client import Line, Side

IP, OTHER = "10.77.2.10", "10.77.2.11"


async def _line(url: str) -> Line:
    scheme = "https" if url.startswith("tls") else "http"
    return await Line.to(f"{scheme}://{urlsplit(url).netloc}")


def _listen(side: Side, *groups: tuple[str, int], protocol: str = "TCP") -> str:
    secure = {"Certificates": [{"CertificateArn": CERTIFICATE}]} if protocol == "TLS" else {}
    made = side.elb.call(
        "CreateListener",
        LoadBalancerArn=side.elb.load_balancer("net", Type="network"),
        Port=443,
        Protocol=protocol,
        DefaultActions=[forward(*groups)],
        **secure,
    )
    return str(made["Listeners"][0]["ListenerArn"])


async def test_a_connection_is_carried_to_one_target(side: Side) -> None:
    """Requests of one connection reach one task, without any header of a load balancer."""
    group = side.elb.group(Protocol="TCP")
    listener = _listen(side, (group, 1))
    url = await side.plane.ready(listener)
    for ip in (IP, OTHER):
        side.elb.target(group, ip)
    await side.healthy(group, IP, OTHER)
    line = await _line(url)
    answers = [(await line.send()).json for _ in range(5)]
    await line.close()
    assert len({item["task"] for item in answers}) == 1
    assert [item["requests"] for item in answers] == [1, 2, 3, 4, 5]
    assert "x-forwarded-for" not in answers[0]["headers"]
    assert side.elb.service.counters()["listeners"][listener]["NewFlowCount"] == 1


async def test_connections_take_turns_and_weights_choose_groups(side: Side) -> None:
    """New connections go to every target; a group of weight 0 gets none."""
    used, unused = side.elb.group("used", Protocol="TCP"), side.elb.group("unused", Protocol="TCP")
    url = await side.plane.ready(_listen(side, (used, 1), (unused, 0)))
    side.elb.target(used, IP)
    side.elb.target(unused, OTHER)
    await side.healthy(used, IP)
    await side.healthy(unused, OTHER)
    seen = set()
    for _ in range(6):
        line = await _line(url)
        seen.add((await line.send()).json["task"])
        await line.close()
    assert len(seen) == 1


async def test_without_targets_a_connection_is_reset(side: Side) -> None:
    """Nobody to carry it to: it ends without a byte."""
    url = await side.plane.ready(_listen(side, (side.elb.group(Protocol="TCP"), 1)))
    line = await _line(url)
    assert await line.is_closed()
    await line.close()


async def test_tls_ends_at_the_load_balancer(side: Side) -> None:
    """A TLS listener speaks TLS with the client and TCP with the target."""
    group = side.elb.group(Protocol="TCP")
    url = await side.plane.ready(_listen(side, (group, 1), protocol="TLS"))
    side.elb.target(group, IP)
    await side.healthy(group, IP)
    line = await _line(url)
    assert (await line.send()).status == 200
    await line.close()


async def test_an_idle_flow_ends(side: Side) -> None:
    """After `tcp.idle_timeout.seconds` without a byte the connection is gone."""
    group = side.elb.group(Protocol="TCP")
    listener = _listen(side, (group, 1))
    side.elb.call(
        "ModifyListenerAttributes",
        ListenerArn=listener,
        Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "60"}],
    )
    url = await side.plane.ready(listener)
    side.elb.target(group, IP)
    await side.healthy(group, IP)
    line = await _line(url)
    assert (await line.send()).status == 200
    assert await line.is_closed()
    await line.close()
