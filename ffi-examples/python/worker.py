"""A worker: prints the square of each number that is sent to QUEUE, until the queue is closed: worker.py QUEUE

Start one before the numbers are sent, and as many as you like; each number goes to one of them. What fails is tried again, by whichever worker is free, and after three times
put aside in QUEUE.dead, with the messages of workers that crashed each time.
"""

import sys

import slipring


def handle(message):
    print(int(bytes(message.view)) ** 2, flush=True)


name = sys.argv[1]
with (
    # A topic, without the group "default": only "squares" is to be waited for.
    slipring.Queue.open_or_create(name, capacity=1 << 20, flags=slipring.TOPIC) as queue,
    queue.consumer("squares", max_deliveries=3, dead_letter=name + ".dead") as consumer,
):
    for message in consumer:
        try:
            with message:
                handle(message)
        except ValueError as error:
            # Leaving the block by an exception has given the message back.
            print(f"try {message.deliveries}: {error}", file=sys.stderr)
