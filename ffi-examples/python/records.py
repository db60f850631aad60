"""Sends the records of a file, or writes what it receives as records.

    records.py send QUEUE FILE
    records.py work QUEUE GROUP FILE [N]

A record is an event name and a payload, each after its length (u32, little-endian); no name means no event. `work` ends when the queue is
closed and drained. With N it stops for ever at its Nth message, to show that another worker gets it when this one is killed.
"""

import struct
import sys
import time

import slipring


def read_part(file):
    header = file.read(4)
    if not header:
        return None
    (length,) = struct.unpack("<I", header)
    part = file.read(length)
    if len(part) < length:
        raise ValueError("the file ends within a record")
    return part


def send(name, path):
    with open(path, "rb") as file, slipring.Queue.open(name) as queue, queue.producer() as producer:
        while (event := read_part(file)) is not None:
            producer.send(read_part(file), event=event.decode() or None)
        # For good: consumers get what is left, and then the end.
        queue.shutdown()


def work(name, group, path, stop_at=0):
    with open(path, "ab") as file, slipring.Queue.open(name) as queue, queue.consumer(group) as consumer:
        for count, message in enumerate(consumer, start=1):
            if count == stop_at:
                print("holding", flush=True)
                while True:
                    time.sleep(3600)
            # Acked at the end of the block: a worker that dies before leaves the message to another.
            with message:
                event = (message.event or "").encode()
                file.write(struct.pack("<I", len(event)) + event + struct.pack("<I", len(message.view)))
                file.write(message.view)
                file.flush()


def main(arguments):
    match arguments:
        case ["send", name, path]:
            send(name, path)
        case ["work", name, group, path]:
            work(name, group, path)
        case ["work", name, group, path, stop_at] if stop_at.isdecimal():
            work(name, group, path, int(stop_at))
        case _:
            print("usage: records.py send QUEUE FILE | work QUEUE GROUP FILE [N]", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (slipring.Error, OSError, ValueError) as error:
        sys.exit(f"records.py: {error}")
