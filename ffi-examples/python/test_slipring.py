"""What slipring.py promises: python3 -m unittest, in this folder."""

import array
import gc
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import slipring


class WithAQueue(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="slipring-python-")
        self.addCleanup(self.dir.cleanup)
        self.name = os.path.join(self.dir.name, "queue")
        self.queue = slipring.Queue.create(self.name, capacity=1 << 20)
        self.producer = self.queue.producer()
        self.consumer = self.queue.consumer("default")
        for handle in (self.queue, self.producer, self.consumer):
            self.addCleanup(handle.close)

    def sent(self, payload, **more):
        self.assertTrue(self.producer.send(payload, timeout=0, **more))
        return self.received()

    def received(self, timeout=0):
        message = self.consumer.receive(timeout)
        self.assertIsNotNone(message)
        return message

    def nothing_is_left(self):
        self.assertIsNone(self.consumer.receive(0))


class Messages(WithAQueue):
    def test_bytes_and_buffers_arrive_as_they_were(self):
        for payload in (b"", b"a\0b", bytes(range(256)) * 400, bytearray(b"xy"), memoryview(b"abc")[1:], array.array("I", [1, 2])):
            with self.sent(payload, event="straße") as message:
                self.assertEqual(bytes(message.view), bytes(memoryview(payload)))
                self.assertEqual((message.event, message.deliveries), ("straße", 1))
        with self.sent(b"x") as message:
            self.assertIsNone(message.event)
        with self.assertRaises(TypeError):
            self.producer.send(5)

    def test_a_block_acks_and_an_exception_gives_back(self):
        message = self.sent(b"job")
        with self.assertRaises(KeyError), message:
            raise KeyError
        with self.received() as again:
            self.assertEqual((bytes(again.view), again.deliveries), (b"job", 2))
        self.nothing_is_left()

    def test_settled_once_and_for_all(self):
        for settle in (slipring.Message.ack, slipring.Message.retry, lambda message: message.reject("why")):
            message = self.sent(b"x")
            settle(message)
            for use in (slipring.Message.ack, slipring.Message.retry, lambda message: message.view):
                self.assertRaises(ValueError, use, message)
            for left in self.consumer.receive_all(timeout=0):
                left.ack()
        with self.sent(b"in the block") as message:
            message.ack()
        self.nothing_is_left()

    def test_a_forgotten_message_comes_again(self):
        self.sent(b"x")
        gc.collect()
        self.assertEqual(self.received().deliveries, 2)

    def test_iteration_ends_with_the_queue(self):
        for number in range(10):
            self.producer.send(b"%d" % number)
        self.queue.shutdown()
        found = []
        for message in self.consumer:
            with message:
                found.append(int(bytes(message.view)))
        self.assertEqual(found, list(range(10)))
        self.assertRaises(slipring.Closed, self.consumer.receive)
        self.assertRaises(slipring.Closed, self.producer.send, b"late")

    def test_dead_letters(self):
        with self.queue.consumer("picky", max_deliveries=1, dead_letter=self.name + ".dead", filter="order.*") as picky:
            self.producer.send(b"other", event="bill.paid")
            self.producer.send(b"bad", event="order.paid")
            message = picky.receive(0)
            self.assertEqual(message.event, "order.paid")
            message.reject("no such order")
            self.assertIsNone(picky.receive(0))
        with slipring.Queue.open(self.name + ".dead") as dead, dead.consumer() as consumer:
            self.assertIsNotNone(consumer.receive(0))


class Views(WithAQueue):
    """No view reads what is no longer its message."""

    def unusable(self, view):
        for use in (lambda: view[0], lambda: bytes(view), lambda: view[1:], lambda: len(view)):
            self.assertRaises(ValueError, use)

    def test_they_end_with_the_message(self):
        for settle in (slipring.Message.ack, slipring.Message.retry, lambda message: message.reject("")):
            message = self.sent(b"hello")
            views = [message.view, message.view]
            settle(message)
            for view in views:
                self.unusable(view)
            for left in self.consumer.receive_all(timeout=0):
                left.ack()

    def test_they_end_with_the_consumer(self):
        message = self.sent(b"hello")
        view = message.view
        self.consumer.close()
        self.unusable(view)
        self.assertRaises(ValueError, lambda: message.view)
        self.assertRaises(ValueError, message.ack)

    def test_they_hold_what_they_show(self):
        def view():
            with slipring.Queue.create(self.name + "2", capacity=1 << 20) as queue:
                queue.producer().send(b"hello")
                return queue.consumer("default").receive(0).view

        alone = view()
        gc.collect()
        self.assertEqual(bytes(alone), b"hello")

    def test_a_slice_in_use_keeps_the_message_in_hand(self):
        message = self.sent(b"hello")
        part = message.view[1:3]
        for give_back in (message.ack, message.retry, self.consumer.close, lambda: message.__exit__(None, None, None)):
            self.assertRaises(BufferError, give_back)
            self.assertEqual(bytes(part), b"el")
        del part
        self.assertEqual(bytes(message.view), b"hello")
        message.ack()
        self.nothing_is_left()

    def test_a_slice_in_use_hides_no_exception(self):
        message = self.sent(b"hello")
        with self.assertRaises(KeyError), message:
            part = message.view[1:3]
            raise KeyError
        self.assertEqual(bytes(part), b"el")
        del part, message
        self.assertEqual(self.received().deliveries, 2)

    def test_an_array_made_of_it_counts_too(self):
        message = self.sent(b"\1\0\0\0\2\0\0\0")
        numbers = message.view.cast("I")
        self.assertRaises(BufferError, message.ack)
        self.assertEqual(list(numbers), [1, 2])
        numbers.release()
        message.ack()

    def test_read_only(self):
        with self.sent(b"hello") as message, self.assertRaises(TypeError):
            message.view[0] = 0


class Reservations(WithAQueue):
    def test_written_in_place(self):
        with self.producer.reserve(100, event="frame", timeout=0) as space:
            self.assertEqual(len(space.view), 100)
            view = space.view
            view[:5] = b"hello"
            space.commit(5)
            self.assertRaises(ValueError, view.__setitem__, 0, 0)
        with self.received() as message:
            self.assertEqual((bytes(message.view), message.event), (b"hello", "frame"))

    def test_given_up_without_a_commit(self):
        with self.producer.reserve(100):
            pass
        with self.assertRaises(KeyError), self.producer.reserve(100):
            raise KeyError
        self.producer.reserve(100)  # Forgotten.
        with self.sent(b"next") as message:
            self.assertEqual(bytes(message.view), b"next")
        self.nothing_is_left()

    def test_nobody_writes_after_the_commit(self):
        space = self.producer.reserve(4)
        part = space.view[:2]
        for give_back in (space.commit, space.abort, self.producer.close):
            self.assertRaises(BufferError, give_back)
        part[:] = b"ab"
        part.release()
        self.assertRaises(ValueError, space.commit, 5)
        space.commit(2)
        self.assertRaises(ValueError, space.commit)
        with self.received() as message:
            self.assertEqual(bytes(message.view), b"ab")


class Calls(WithAQueue):
    def test_no_room_and_no_message_are_no_errors(self):
        self.assertIsNone(self.consumer.receive(0.01))
        while self.producer.send(bytes(100_000), timeout=0):
            pass
        self.assertFalse(self.producer.send(bytes(100_000), timeout=0.01))
        self.assertIsNone(self.producer.reserve(100_000, timeout=0))

    def test_errors_say_what_is_wrong(self):
        with self.assertRaises(slipring.Error) as caught:
            slipring.Queue.open(self.name + "-not-there")
        self.assertEqual(caught.exception.status, -7)
        self.assertTrue(str(caught.exception))
        for wrong in ({"capasity": 1}, {"capacity": "1"}):
            self.assertRaises(TypeError, slipring.Queue.create, self.name + "2", **wrong)
        self.assertRaises(ValueError, slipring.Queue.create, self.name + "2", mode=1 << 32)
        self.assertRaises(ValueError, slipring.Queue.open, self.name + "\0")
        self.assertRaises(ValueError, self.producer.send, b"", event="a\0b")

    def test_closed_handles_refuse(self):
        for handle in (self.queue, self.producer, self.consumer):
            handle.close()
            handle.close()
        for call in (self.queue.producer, self.queue.shutdown, self.consumer.receive, self.consumer.fileno, lambda: self.producer.send(b"")):
            self.assertRaises(slipring.Error, call)

    def test_a_waiting_receive_is_woken(self):
        threading.Timer(0.05, self.producer.send, (b"late",)).start()
        with self.received(timeout=30) as message:
            self.assertEqual(bytes(message.view), b"late")

    def test_closed_by_another_thread(self):
        for handle in (self.consumer, self.producer):
            threading.Timer(0.05, handle.close).start()
        with self.assertRaises(slipring.Error) as caught:
            self.consumer.receive()
        self.assertEqual(caught.exception.status, -12)
        with self.assertRaises(slipring.Error):
            while True:
                self.producer.send(bytes(1000))

    def test_select_says_when_there_is_a_message(self):
        self.nothing_is_left()
        poll = select.poll()
        poll.register(self.consumer, select.POLLIN)
        self.producer.send(b"x")
        found = None
        for _ in range(100):
            self.assertTrue(poll.poll(30_000))
            if (found := self.consumer.receive(0)) is not None:
                break
        self.assertEqual(bytes(found.view), b"x")

    def test_signal_handlers_run_during_a_wait(self):
        # Ctrl-C among them. Were they run only when the wait is over, nobody would send before this gives up.
        handled = threading.Event()
        in_time = []
        before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

        def interrupt():
            os.kill(os.getpid(), signal.SIGUSR1)
            in_time.append(handled.wait(20))
            self.producer.send(b"done")

        timer = threading.Timer(0.05, interrupt)
        timer.start()
        self.received(timeout=60).ack()
        timer.join()
        self.assertEqual(in_time, [True])

    def test_a_library_that_is_not_there(self):
        environment = os.environ | {"SLIPRING_LIBRARY": "/none/libslipring.so.0"}
        said = subprocess.run([sys.executable, "-c", "import slipring"], env=environment, capture_output=True, text=True)
        self.assertEqual(said.returncode, 1)
        last = said.stderr.splitlines()[-1]
        self.assertIn("ImportError: /none/libslipring.so.0: cannot open", last)
        self.assertIn("`make install`", last)


if __name__ == "__main__":
    unittest.main()
