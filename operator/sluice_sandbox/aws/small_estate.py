"""The estate that every sandbox has: made by ordinary AWS calls, told in one JSON-able dict.

One VPC with three subnets in three zones, a security group, three roles, an IAM user with keys, an ECS
cluster, an Application Load Balancer with listeners 80, 443 and 8080 whose default action is a fixed 404,
and an ECR repository. A person's first manifests need nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sluice_sandbox.aws.estate import SUBNET_CIDRS, VPC_CIDR, ZONES
from sluice_sandbox.aws.service import Params, Response
from sluice_sandbox.aws.world import World

NAME = "sandbox"
LISTENERS = ((80, "HTTP"), (443, "HTTPS"), (8080, "HTTP"))
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_NOT_FOUND = {
    "Type": "fixed-response",
    "FixedResponseConfig": {
        "StatusCode": "404",
        "ContentType": "text/plain",
        "MessageBody": "no rule matched\n",
    },
}


def make(world: World) -> dict[str, Any]:
    """Make the estate in a world with moto and mark it as the baseline of `World.reset`.

    Returns names, ids and ARNs in camelCase, as `estate.json` has them; the listeners' loopback URLs
    are the data plane's to add.
    """
    call = world.call
    network = _network(call, world.caller.region)
    roles = {use: _role(call, use) for use in ("execution", "task", "operator")}
    estate = {
        "account": world.caller.account,
        "region": world.caller.region,
        **network,
        "roles": roles,
        "credentials": _user(call),
        "cluster": _cluster(call),
        "loadBalancer": _load_balancer(
            call, network, account=world.caller.account, region=world.caller.region
        ),
        "repository": _repository(call),
    }
    world.mark_baseline()
    return estate


Call = Callable[[str, str, Params], Response]


def _named(name: str, kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def _network(call: Call, region: str) -> dict[str, Any]:
    vpc = call("ec2", "CreateVpc", {"CidrBlock": VPC_CIDR, "TagSpecifications": _named(NAME, "vpc")})
    vpc_id = vpc["Vpc"]["VpcId"]
    subnet_ids = [
        call(
            "ec2",
            "CreateSubnet",
            {
                "VpcId": vpc_id,
                "CidrBlock": cidr,
                "AvailabilityZone": region + zone,
                "TagSpecifications": _named(f"{NAME}-{zone}", "subnet"),
            },
        )["Subnet"]["SubnetId"]
        for cidr, zone in zip(SUBNET_CIDRS, ZONES, strict=True)
    ]
    group = call(
        "ec2",
        "CreateSecurityGroup",
        {"GroupName": NAME, "Description": "Tasks and load balancer of the sandbox", "VpcId": vpc_id},
    )
    return {"vpcId": vpc_id, "subnetIds": subnet_ids, "securityGroupIds": [group["GroupId"]]}


def _role(call: Call, use: str) -> str:
    principal = {"AWS": "*"} if use == "operator" else {"Service": "ecs-tasks.amazonaws.com"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    role = call(
        "iam",
        "CreateRole",
        {"RoleName": f"{NAME}-{use}", "AssumeRolePolicyDocument": json.dumps(trust)},
    )
    return str(role["Role"]["Arn"])


def _user(call: Call) -> dict[str, str]:
    call("iam", "CreateUser", {"UserName": NAME})
    key = call("iam", "CreateAccessKey", {"UserName": NAME})["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def _cluster(call: Call) -> dict[str, str]:
    cluster = call("ecs", "CreateCluster", {"clusterName": NAME})["cluster"]
    return {"name": NAME, "arn": cluster["clusterArn"]}


def _load_balancer(call: Call, network: dict[str, Any], *, account: str, region: str) -> dict[str, Any]:
    balancer = call(
        "elbv2",
        "CreateLoadBalancer",
        {
            "Name": NAME,
            "Type": "application",
            "Scheme": "internet-facing",
            "Subnets": network["subnetIds"],
            "SecurityGroups": network["securityGroupIds"],
        },
    )["LoadBalancers"][0]
    # The data plane generates the certificate itself; the sandbox has no ACM that could hold it.
    certificate = f"arn:aws:acm:{region}:{account}:certificate/00000000-0000-4000-8000-000000000000"
    listeners = []
    for port, protocol in LISTENERS:
        tls = {"Certificates": [{"CertificateArn": certificate}], "SslPolicy": TLS_POLICY}
        listener = call(
            "elbv2",
            "CreateListener",
            {
                "LoadBalancerArn": balancer["LoadBalancerArn"],
                "Port": port,
                "Protocol": protocol,
                "DefaultActions": [_NOT_FOUND],
                **(tls if protocol == "HTTPS" else {}),
            },
        )["Listeners"][0]
        listeners.append({"port": port, "protocol": protocol, "arn": listener["ListenerArn"]})
    return {
        "name": NAME,
        "arn": balancer["LoadBalancerArn"],
        "dnsName": balancer["DNSName"],
        "listeners": listeners,
    }


def _repository(call: Call) -> dict[str, str]:
    repository = call("ecr", "CreateRepository", {"repositoryName": NAME})["repository"]
    return {
        "name": NAME,
        "arn": repository["repositoryArn"],
        "uri": repository["repositoryUri"],
    }
