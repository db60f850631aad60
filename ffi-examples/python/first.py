"""Sends what it is given as arguments, and receives it again: first.py QUEUE [TEXT...]"""

import sys

import slipring

with slipring.Queue.open_or_create(sys.argv[1], capacity=1 << 20) as queue:
    with queue.producer() as producer, queue.consumer("default") as consumer:
        for text in sys.argv[2:]:
            producer.send(text.encode(), event="greeting")
        for message in consumer.receive_all(timeout=0):
            with message:
                print(message.event, message.deliveries, bytes(message.view).decode())
