"""Large messages without a copy in between, from a file into the queue and from the queue into a file.

    frame.py send QUEUE SIZE <file        each message a frame of SIZE bytes, read straight into the queue; then closes it
    frame.py receive QUEUE >file          each frame written straight from the queue
"""

import sys

import slipring


def send(name, size):
    with slipring.Queue.open_or_create(name, capacity=max(8 * size, 1 << 20)) as queue, queue.producer() as producer:
        while True:
            # Aborted at the end of the block, if it was not committed.
            with producer.reserve(size) as frame:
                # The view is plain writable memory: numpy.frombuffer(frame.view) would do as well.
                length = sys.stdin.buffer.readinto(frame.view)
                if length == 0:
                    break
                frame.commit(length)
        queue.shutdown()


def receive(name):
    with slipring.Queue.open(name) as queue, queue.consumer("default") as consumer:
        for message in consumer:
            with message:
                sys.stdout.buffer.write(message.view)
                sys.stdout.buffer.flush()


match sys.argv[1:]:
    case ["send", name, size]:
        send(name, int(size))
    case ["receive", name]:
        receive(name)
    case _:
        sys.exit(__doc__)
