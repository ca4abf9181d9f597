"""The AWS stand-in: services that refuse, default, limit, page, delay and forget as AWS does.

`world.World` holds one universe: a clock, a seeded random generator, the services, their faults and
the record of calls. The wire layer puts it behind one HTTP port; simulation calls it in process.
Everything in a world runs in one thread (the event loop's, or the simulation's), so there are no
locks; only moto, which answers for the services that are not ours, has one.
"""
