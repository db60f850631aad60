"""Slipring from Python, over libslipring.so with ctypes alone.

    with slipring.Queue.open_or_create("orders", capacity=1 << 20) as queue:
        with queue.producer() as producer, queue.consumer("billing") as consumer:
            producer.send(b"hello")
            for message in consumer.receive_all(timeout=0):
                with message:                     # acked at the end, given back if an exception leaves it
                    print(bytes(message.view))    # a memoryview into the queue itself: no copy

The library is found as $SLIPRING_LIBRARY says, or as the system finds libslipring.so.0.
"""

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

__all__ = ["Queue", "Producer", "Consumer", "Message", "Error", "Closed"]

_lib = ctypes.CDLL(os.environ.get("SLIPRING_LIBRARY", "libslipring.so.0"))

FULL, EMPTY, TIMEOUT, CLOSED = -1, -2, -3, -4


class _QueueOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("block_size", c_uint32), ("capacity", c_uint64), ("retain", c_uint64),
        ("mode", c_uint32), ("max_groups", c_uint32), ("max_members", c_uint32), ("flags", c_uint32),
    ]


class _ConsumerOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("start", c_uint32), ("position", c_uint64), ("prefetch", c_uint32),
        ("max_deliveries", c_uint32), ("dead_letter", c_char_p), ("filter", c_char_p), ("flags", c_uint32),
        ("spare", c_uint32),
    ]


class _Message(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("len", c_size_t), ("event", c_void_p), ("event_len", c_size_t),
        ("position", c_uint64), ("cookie", c_uint64), ("deliveries", c_uint32), ("spare", c_uint32),
    ]


def _declare(name, *arguments, result=c_int32):
    function = getattr(_lib, "slipring_" + name)
    function.argtypes, function.restype = arguments, result
    return function


_last_error = _declare("last_error", result=c_char_p)
_queue_options_init = _declare("queue_options_init", POINTER(_QueueOptions), result=None)
_consumer_options_init = _declare("consumer_options_init", POINTER(_ConsumerOptions), result=None)
_create = _declare("create", c_char_p, POINTER(_QueueOptions), POINTER(c_void_p))
_open = _declare("open", c_char_p, POINTER(c_void_p))
_open_or_create = _declare("open_or_create", c_char_p, POINTER(_QueueOptions), POINTER(c_void_p))
_close = _declare("close", c_void_p, result=None)
_shutdown = _declare("shutdown", c_void_p)
_unlink = _declare("unlink", c_char_p)
_producer_open = _declare("producer_open", c_void_p, POINTER(c_void_p))
_producer_close = _declare("producer_close", c_void_p, result=None)
_send_event = _declare("send_event", c_void_p, c_char_p, c_char_p, c_size_t, c_int64)
_consumer_open = _declare("consumer_open", c_void_p, c_char_p, POINTER(_ConsumerOptions), POINTER(c_void_p))
_consumer_close = _declare("consumer_close", c_void_p, result=None)
_borrow = _declare("borrow", c_void_p, c_int64, POINTER(_Message))
_ack = _declare("ack", c_void_p, POINTER(_Message))
_retry = _declare("retry", c_void_p, POINTER(_Message))
_reject = _declare("reject", c_void_p, POINTER(_Message), c_char_p)
_consumer_fd = _declare("consumer_fd", c_void_p, result=c_int32)
_lag = _declare("lag", c_void_p, result=c_uint64)


class Error(Exception):
    """A call failed; `status` is the code of slipring.h."""

    def __init__(self, status):
        super().__init__(_last_error().decode())
        self.status = status


class Closed(Error):
    """The queue was closed; for a consumer: and everything in it is done."""


def _check(status):
    if status < 0:
        raise Closed(status) if status == CLOSED else Error(status)
    return status


def _nanoseconds(timeout):
    return -1 if timeout is None else int(timeout * 1e9)


class _Handle:
    """A handle of the library with its closing function; a context manager."""

    _handle = None

    def close(self):
        handle, self._handle = self._handle, None
        if handle:
            self._closing(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    __del__ = close


class Queue(_Handle):
    """An open queue. Threads may share it."""

    _closing = staticmethod(_close)

    def __init__(self, handle):
        self._handle = handle

    @classmethod
    def _made(cls, function, name, options):
        given, handle = _QueueOptions(), c_void_p()
        _queue_options_init(byref(given))
        for option, value in options.items():
            setattr(given, option, value)
        _check(function(name.encode(), byref(given), byref(handle)))
        return cls(handle)

    @classmethod
    def create(cls, name, **options):
        """Options: capacity, block_size, retain, mode, max_groups, max_members, flags."""
        return cls._made(_create, name, options)

    @classmethod
    def open_or_create(cls, name, **options):
        return cls._made(_open_or_create, name, options)

    @classmethod
    def open(cls, name):
        handle = c_void_p()
        _check(_open(name.encode(), byref(handle)))
        return cls(handle)

    @staticmethod
    def unlink(name):
        _check(_unlink(name.encode()))

    def shutdown(self):
        """Closes the queue for good: producers stop, consumers drain."""
        _check(_shutdown(self._handle))

    def producer(self):
        return Producer(self)

    def consumer(self, group=None, **options):
        """Options: start, position, prefetch, max_deliveries, dead_letter and filter (bytes), flags."""
        return Consumer(self, group, options)


class Producer(_Handle):
    """The sending side. One thread at a time uses it."""

    _closing = staticmethod(_producer_close)

    def __init__(self, queue):
        handle = c_void_p()
        _check(_producer_open(queue._handle, byref(handle)))
        self._handle = handle

    def send(self, payload, event=None, timeout=None):
        """False if there was no room within `timeout` seconds (None: waits for ever)."""
        name = None if event is None else event.encode()
        status = _send_event(self._handle, name, payload, len(payload), _nanoseconds(timeout))
        return status not in (FULL, TIMEOUT) and _check(status) == 0


class Consumer(_Handle):
    """The receiving side. One thread at a time uses it."""

    _closing = staticmethod(_consumer_close)

    def __init__(self, queue, group, options):
        given, handle = _ConsumerOptions(), c_void_p()
        _consumer_options_init(byref(given))
        for option, value in options.items():
            setattr(given, option, value)
        name = None if group is None else group.encode()
        _check(_consumer_open(queue._handle, name, byref(given), byref(handle)))
        self._handle = handle

    def receive(self, timeout=None):
        """The next message, or None if there was none within `timeout` seconds (None: waits for ever)."""
        message = Message(self)
        status = _borrow(self._handle, _nanoseconds(timeout), byref(message._message))
        if status in (EMPTY, TIMEOUT):
            return None
        _check(status)
        message._held = True
        return message

    def receive_all(self, timeout=None):
        """Messages until there is none within `timeout` seconds, or the queue is closed and drained."""
        try:
            while (message := self.receive(timeout)) is not None:
                yield message
        except Closed:
            return

    __iter__ = receive_all

    def fileno(self):
        """For select, poll and asyncio: readable when there may be a message. Receive with timeout 0 until None."""
        return _check(_consumer_fd(self._handle))

    def lag(self):
        return _lag(self._handle)


class Message:
    """A message in hand. Its `view` points into the queue, and is released when the message is settled."""

    def __init__(self, consumer):
        self._consumer, self._message, self._held, self._views = consumer, _Message(), False, []

    @property
    def view(self):
        if not self._held:
            raise ValueError("the message is settled")
        bytes_of = ctypes.c_char * self._message.len
        array = bytes_of.from_address(self._message.data) if self._message.len else bytes_of()
        view = memoryview(array).cast("B").toreadonly()
        self._views.append(view)
        return view

    @property
    def event(self):
        return ctypes.string_at(self._message.event, self._message.event_len).decode() if self._message.event else None

    @property
    def position(self):
        return self._message.position

    @property
    def deliveries(self):
        return self._message.deliveries

    def _settle(self, function, *more):
        if not self._held:
            raise ValueError("the message is settled")
        # A view that somebody still exports (numpy, say) refuses: then the message stays in hand.
        while self._views:
            self._views[-1].release()
            self._views.pop()
        self._held = False
        _check(function(self._consumer._handle, byref(self._message), *more))

    def ack(self):
        """Done: no crash of anybody brings it back."""
        self._settle(_ack)

    def retry(self):
        """Gives it back, to be delivered again."""
        self._settle(_retry)

    def reject(self, reason):
        """Puts it aside as a dead letter."""
        self._settle(_reject, reason.encode())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self._held:
            self.retry() if kind else self.ack()
