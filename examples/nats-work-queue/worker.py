"""Counts the words of jobs: `python3 worker.py [URL]`."""

import asyncio
import json
import sys

import nats


async def main():
    url = sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222"
    nc = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    jobs = await nc.subscribe("jobs.count", queue="default")
    await nc.flush()
    print("ready", flush=True)
    async for job in jobs.messages:
        answer = {"words": len(job.data.decode().split()), "worker": "python"}
        await job.respond(json.dumps(answer).encode())


asyncio.run(main())
