"""The stand-in's Amazon ECS: its records, its refusals and its scheduler.

Read `service.EcsService` first: it composes the nouns (clusters, definitions, services, tasks,
service deployments) around one state, one task engine and one scheduler. Rules name their source:
botocore's `ecs/2014-11-13` model and documentation, the ECS developer guide, or public issues; what
is written from memory says so. Nothing here was compared with a live account.
"""
