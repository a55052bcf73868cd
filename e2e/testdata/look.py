"""Prints as JSON what an AWS account holds, for tests that look at it with a client that is not Anchor's."""
import json

import boto3


def every(client, operation, member, **arguments):
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate(**arguments)
    else:
        pages = [getattr(client, operation)(**arguments)]
    return [item for page in pages for item in page.get(member, [])]


def functions():
    client, found = boto3.client("lambda"), {}
    for f in every(client, "list_functions", "Functions"):
        name = f["FunctionName"]
        aliases = every(client, "list_aliases", "Aliases", FunctionName=name)
        versions = every(client, "list_versions_by_function", "Versions", FunctionName=name)
        found[name] = {
            "runtime": f["Runtime"],
            "timeout": f["Timeout"],
            "memory": f["MemorySize"],
            "role": f["Role"].rsplit("/", 1)[-1],
            "aliases": {a["Name"]: a["FunctionVersion"] for a in aliases},
            "versions": sorted(v["Version"] for v in versions if v["Version"] != "$LATEST"),
            "urls": sorted(
                u["FunctionArn"].rsplit(":", 1)[-1]
                for u in every(client, "list_function_url_configs", "FunctionUrlConfigs", FunctionName=name)
            ),
        }
    return found


def buckets():
    client = boto3.client("s3")
    return {
        b["Name"]: len(every(client, "list_objects_v2", "Contents", Bucket=b["Name"]))
        for b in client.list_buckets()["Buckets"]
    }


def distributions():
    client = boto3.client("cloudfront")
    found = {}
    for d in client.list_distributions()["DistributionList"].get("Items", []):
        c = client.get_distribution_config(Id=d["Id"])["DistributionConfig"]
        behavior = c["DefaultCacheBehavior"]
        tags = client.list_tags_for_resource(Resource=d["ARN"])["Tags"].get("Items", [])
        found[d["Id"]] = {
            "http": c["HttpVersion"],
            "enabled": c["Enabled"],
            "origins": sorted(o["Id"] for o in c["Origins"]["Items"]),
            "function": behavior.get("FunctionAssociations", {}).get("Quantity", 0),
            "tags": {t["Key"]: t["Value"] for t in tags},
        }
    return found


def certificates():
    client = boto3.client("acm", region_name="us-east-1")
    return {
        c["DomainName"]: {
            t["Key"]: t["Value"] for t in client.list_tags_for_certificate(CertificateArn=c["CertificateArn"])["Tags"]
        }
        for c in every(client, "list_certificates", "CertificateSummaryList")
    }


def queues():
    client = boto3.client("sqs")
    return sorted(url.rsplit("/", 1)[-1] for url in client.list_queues().get("QueueUrls", []))


cloudfront = boto3.client("cloudfront")
print(json.dumps({
    "functions": functions(),
    "buckets": buckets(),
    "distributions": distributions(),
    "edgeFunctions": [f["Name"] for f in cloudfront.list_functions()["FunctionList"].get("Items", [])],
    "stores": [s["Name"] for s in cloudfront.list_key_value_stores()["KeyValueStoreList"].get("Items", [])],
    "tenants": [d for t in cloudfront.list_distribution_tenants().get("DistributionTenantList", []) for d in t["Domains"]],
    "certificates": certificates(),
    "queues": queues(),
    "tables": every(boto3.client("dynamodb"), "list_tables", "TableNames"),
    "roles": [r["RoleName"] for r in every(boto3.client("iam"), "list_roles", "Roles")],
    "stacks": [
        s["StackName"]
        for s in every(boto3.client("cloudformation"), "list_stacks", "StackSummaries")
        if s["StackStatus"] != "DELETE_COMPLETE"
    ],
    "apis": [a["Name"] for a in every(boto3.client("apigatewayv2"), "get_apis", "Items")],
    "builds": every(boto3.client("codebuild"), "list_projects", "projects"),
    "rules": [r["Name"] for r in every(boto3.client("events"), "list_rules", "Rules")],
    "schedules": [s["Name"] for s in every(boto3.client("scheduler"), "list_schedules", "Schedules")],
    "scheduleGroups": [
        g["Name"] for g in every(boto3.client("scheduler"), "list_schedule_groups", "ScheduleGroups") if g["Name"] != "default"
    ],
    "parameters": [p["Name"] for p in every(boto3.client("ssm"), "describe_parameters", "Parameters")],
    "logs": [g["logGroupName"] for g in every(boto3.client("logs"), "describe_log_groups", "logGroups")],
}))
