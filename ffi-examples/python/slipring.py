"""Slipring from Python, over libslipring.so with ctypes alone.

    with slipring.Queue.open_or_create("orders", capacity=1 << 20) as queue:
        with queue.producer() as producer, queue.consumer("default") as consumer:
            producer.send(b"hello")
            for message in consumer.receive_all(timeout=0):
                with message:                     # acked at the end, given back if an exception leaves it
                    print(bytes(message.view))    # a memoryview into the queue itself: no copy

Times are in seconds, None waits for ever. Threads may share a Queue; a Producer or Consumer, with its messages, is used by one at a time.
The library is found as $SLIPRING_LIBRARY says, or as the system finds libslipring.so.0.
"""

import ctypes
import os
import threading
import time
import weakref
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

__all__ = ["Queue", "Producer", "Reservation", "Consumer", "Message", "Error", "Closed"]

FULL, EMPTY, TIMEOUT, CLOSED = -1, -2, -3, -4
# Options: `start` of a consumer; `flags` of a consumer, and of a queue.
EARLIEST, LATEST, POSITION = 0, 1, 2
LOSSY = 1
TOPIC, FENCED = 1, 2

try:
    _lib = ctypes.CDLL(os.environ.get("SLIPRING_LIBRARY", "libslipring.so.0"))
except OSError as _error:
    raise ImportError(f"{_error}; `make install` in Slipring's repository installs it, SLIPRING_LIBRARY names it elsewhere") from None


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


class _Reservation(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t), ("cookie", c_uint64)]


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
_reserve_event = _declare("reserve_event", c_void_p, c_char_p, c_size_t, c_int64, POINTER(_Reservation))
_commit = _declare("commit", c_void_p, POINTER(_Reservation), c_size_t)
_abort = _declare("abort", c_void_p, POINTER(_Reservation), result=None)
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

    def __init__(self, call, status):
        super().__init__(f"{call.__name__}: {_last_error().decode()}")
        self.status = status


class Closed(Error):
    """The queue was closed; for a consumer: and everything in it is done."""


def _check(call, status):
    if status < 0:
        raise (Closed if status == CLOSED else Error)(call, status)
    return status


def _text(text):
    """A string for C, which would take a NUL for its end."""
    if text is None:
        return None
    encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("a NUL in a name")
    return encoded


def _options(struct, init, options):
    init(byref(struct))
    for option, value in options.items():
        value = _text(value) if isinstance(value, str) else value
        if not hasattr(struct, option):
            raise TypeError(f"unknown option: {option}")
        setattr(struct, option, value)
        if getattr(struct, option) != value:
            raise ValueError(f"out of range: {option}={value}")
    return struct


def _waiting(timeout, call):
    """Calls with nanoseconds to wait: a fifth of a second at most each time, since Python handles signals (Ctrl-C) only in between."""
    if timeout == 0:
        return call(0)
    end = None if timeout is None else time.monotonic_ns() + int(timeout * 1e9)
    while True:
        left = 200_000_000 if end is None else min(max(end - time.monotonic_ns(), 0), 200_000_000)
        status = call(left)
        if status != TIMEOUT or left == 0:
            return status


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

    def __del__(self):
        self.close()


class Queue(_Handle):
    """An open queue. Closing it leaves its producers and consumers at work."""

    _closing = staticmethod(_close)

    def __init__(self, function, *arguments):
        handle = c_void_p()
        _check(function, function(*arguments, byref(handle)))
        self._handle = handle

    @classmethod
    def create(cls, name, **options):
        """Options: capacity, block_size, retain, mode, max_groups, max_members, flags."""
        return cls(_create, _text(name), _options(_QueueOptions(), _queue_options_init, options))

    @classmethod
    def open_or_create(cls, name, **options):
        return cls(_open_or_create, _text(name), _options(_QueueOptions(), _queue_options_init, options))

    @classmethod
    def open(cls, name):
        return cls(_open, _text(name))

    @staticmethod
    def unlink(name):
        _check(_unlink, _unlink(_text(name)))

    def shutdown(self):
        """Closes the queue for good: producers stop, consumers drain."""
        _check(_shutdown, _shutdown(self._handle))

    def producer(self):
        return Producer(self)

    def consumer(self, group=None, **options):
        """Options: start, position, prefetch, max_deliveries, dead_letter, filter, flags."""
        return Consumer(self, group, options)


class _Lender(_Handle):
    """A handle that lends out memory of the queue."""

    def __init__(self, function, *arguments):
        self._viewed, self._forgotten, self._lock = weakref.WeakSet(), [], threading.RLock()
        handle = c_void_p()
        _check(function, function(*arguments, byref(handle)))
        self._handle = handle

    def _call(self, function, *arguments):
        """Calls with the handle, once that has back what was forgotten. Should two threads use it at once, one waits: C would crash."""
        with self._lock:
            while self._forgotten:
                self._take_back(self._handle, byref(self._forgotten.pop()))
            return function(self._handle, *arguments)

    def close(self):
        """Also takes back what is lent; refused (BufferError) while a slice or an array made of its view is in use."""
        if self._handle:
            with self._lock:
                for loan in list(self._viewed):
                    loan._release()
                super().close()

    def __exit__(self, kind, *_):
        try:
            self.close()
        except BufferError:
            # Another exception is on its way and matters more; when the last slice is gone, this is closed, too.
            if kind is None:
                raise


class _Loan:
    """Memory of the queue in the caller's hands, seen through memoryviews. Giving it back releases them: used after that, they raise
    ValueError. What was made of them (a slice, a numpy array) can't be released from here: while there is such a one, giving back is
    refused with a BufferError and changes nothing, as it is for a bytearray that is to be resized.

    One that is forgotten is given back with the next call or close of its producer or consumer; not at once, since a garbage collection may
    run in any thread."""

    def __init__(self, lender, struct):
        self._lender, self._struct = lender, struct
        self._array, self._views = None, []

    def _held(self):
        """Whom this is to be given back to."""
        if self._lender is None or self._lender._handle is None:
            raise ValueError(f"the {type(self).__name__.lower()} is no longer in hand")
        return self._lender

    def _view(self, readonly):
        lender, length = self._held(), self._struct.len
        array = self._array and self._array()
        if array is None:
            # Lengths are powers of two, since ctypes keeps each array type for ever.
            kind = ctypes.c_char * (1 << (length - 1).bit_length() if length else 0)
            array = kind.from_address(self._struct.data) if length else kind()
            # Whoever has a view has the array, and with it this loan and its lender, which so can't be forgotten.
            array.loan, self._array = self, weakref.ref(array)
            lender._viewed.add(self)
        view = memoryview(array).cast("B")[:length]
        view = view.toreadonly() if readonly else view
        self._views.append(weakref.ref(view))
        return view

    def _release(self):
        for view in self._views:
            if (view := view()) is not None:
                view.release()
        if self._array is not None and self._array() is not None:
            raise BufferError(f"a slice or an array made of this {type(self).__name__.lower()}'s view is in use")
        self._views.clear()

    def _give_back(self, function, *more):
        lender = self._held()
        with lender._lock:
            self._release()
            self._lender = None
            return lender._call(function, byref(self._struct), *more)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if self._lender is not None:
                self._end(kind is None)
        except (BufferError, ValueError):
            # Another exception is on its way and matters more.
            if kind is None:
                raise

    def __del__(self):
        if self._lender is not None:
            self._lender._forgotten.append(self._struct)


class Producer(_Lender):
    """The sending side."""

    _closing, _take_back = staticmethod(_producer_close), staticmethod(_abort)

    def __init__(self, queue):
        super().__init__(_producer_open, queue._handle)

    def send(self, payload, event=None, timeout=None):
        """Sends bytes, or whatever has a buffer. False if there was no room in time."""
        if not isinstance(payload, bytes):
            payload = bytes(memoryview(payload))
        event, length = _text(event), len(payload)
        return self._done(_send_event, _waiting(timeout, lambda ns: self._call(_send_event, event, payload, length, ns)))

    def reserve(self, length, event=None, timeout=None):
        """Space for a message, to be written in place; None if there was no room in time. Be quick: messages behind it wait."""
        struct, event = _Reservation(), _text(event)
        if length < 0:
            raise ValueError("a negative length")
        status = _waiting(timeout, lambda ns: self._call(_reserve_event, event, length, ns, byref(struct)))
        return Reservation(self, struct) if self._done(_reserve_event, status) else None

    @staticmethod
    def _done(call, status):
        return status not in (FULL, TIMEOUT) and _check(call, status) == 0


class Reservation(_Loan):
    """Space for a message. Aborted at the end of its `with` block unless it was committed."""

    @property
    def view(self):
        """The space, writable. Holds leftovers of earlier messages."""
        return self._view(readonly=False)

    def commit(self, length=None):
        """Publishes the first `length` bytes (None: all) as a message."""
        length = self._struct.len if length is None else length
        if not 0 <= length <= self._struct.len:
            raise ValueError("more than was reserved")
        _check(_commit, self._give_back(_commit, length))

    def abort(self):
        """Gives it up."""
        self._give_back(_abort)

    def _end(self, _well):
        self.abort()


class Consumer(_Lender):
    """The receiving side. Iterate over it, or ask for one message at a time."""

    _closing, _take_back = staticmethod(_consumer_close), staticmethod(_retry)

    def __init__(self, queue, group, options):
        options = _options(_ConsumerOptions(), _consumer_options_init, options)
        super().__init__(_consumer_open, queue._handle, _text(group), byref(options))

    def receive(self, timeout=None):
        """The next message, or None if there was none in time."""
        struct = _Message()
        status = _waiting(timeout, lambda ns: self._call(_borrow, ns, byref(struct)))
        if status in (EMPTY, TIMEOUT):
            return None
        _check(_borrow, status)
        return Message(self, struct)

    def receive_all(self, timeout=None):
        """Messages until there is none in time, or the queue is closed and drained."""
        try:
            while (message := self.receive(timeout)) is not None:
                yield message
        except Closed:
            return

    __iter__ = receive_all

    def fileno(self):
        """For select, poll and asyncio: readable when there may be a message. Receive with timeout 0 until None; begin with that, too."""
        return _check(_consumer_fd, self._call(_consumer_fd))

    def lag(self):
        """Messages that the group has not acked."""
        return self._call(_lag)


class Message(_Loan):
    """A message in hand. At the end of its `with` block it is acked, or given back if an exception leaves it. One that is forgotten is
    given back by its consumer's next receive or close."""

    def __init__(self, consumer, struct):
        super().__init__(consumer, struct)
        self.event = ctypes.string_at(struct.event, struct.event_len).decode() if struct.event else None
        self.position, self.deliveries = struct.position, struct.deliveries

    @property
    def view(self):
        """The payload in the queue itself, read-only. bytes(message.view) is a copy to keep."""
        return self._view(readonly=True)

    def ack(self):
        """Done: no crash of anybody brings it back."""
        _check(_ack, self._give_back(_ack))

    def retry(self):
        """Gives it back, to be delivered again."""
        _check(_retry, self._give_back(_retry))

    def reject(self, reason):
        """Puts it aside as a dead letter."""
        _check(_reject, self._give_back(_reject, _text(reason)))

    def _end(self, well):
        self.ack() if well else self.retry()
