// Package slipring speaks to queues in shared memory, over the installed C library (found by pkg-config).
//
// Calls that wait block their goroutine, not the program. A Queue is shared by any number of goroutines; a Producer or a Consumer, with its
// messages, is used by one at a time, whichever thread that runs on.
package slipring

/*
#cgo pkg-config: slipring
#include <slipring.h>
#include <stdlib.h>
*/
import "C"

import (
	"math"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// Forever as a time to wait. What is not positive, such as what is left until a deadline that is over, does not wait.
const Forever time.Duration = math.MaxInt64

// Status is a code of slipring.h. It is an error by itself, for errors.Is(err, slipring.Closed).
type Status int32

// The codes that steer a program's flow, and those that one may want to tell apart.
const (
	Full     Status = C.SLIPRING_FULL    // no room, and the call was not to wait
	Empty    Status = C.SLIPRING_EMPTY   // no message, and the call was not to wait
	Timeout  Status = C.SLIPRING_TIMEOUT // the time is over
	Closed   Status = C.SLIPRING_CLOSED  // the queue is closed; for a consumer: and everything in it is done
	Lagged   Status = C.SLIPRING_LAGGED
	TooLarge Status = C.SLIPRING_TOO_LARGE
	NotFound Status = C.SLIPRING_NOT_FOUND
	Exists   Status = C.SLIPRING_EXISTS
	Invalid  Status = C.SLIPRING_INVALID
)

func (s Status) Error() string { return C.GoString(C.slipring_status_str(C.int32_t(s))) }

// Error is a call that failed.
type Error struct {
	Call   string
	Status Status
	Text   string
}

func (e *Error) Error() string { return e.Call + ": " + e.Text }

// Unwrap makes errors.Is find the Status.
func (e *Error) Unwrap() error { return e.Status }

// call calls the library. The text of a failure is kept for each thread of the system, so the goroutine must not move before it is read.
func call(name string, f func() C.slipring_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := Status(f()); status != C.SLIPRING_OK {
		return &Error{name, status, C.GoString(C.slipring_last_error())}
	}
	return nil
}

// cString copies a string for C, to be freed; "" becomes NULL. C would take a NUL for the end.
func cString(call, text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, &Error{call, Invalid, "a NUL in a name"}
	}
	if text == "" {
		return nil, nil
	}
	return C.CString(text), nil
}

func free(text *C.char) { C.free(unsafe.Pointer(text)) }

func nanoseconds(wait time.Duration) C.int64_t {
	switch {
	case wait == Forever:
		return -1
	case wait < 0:
		return 0
	default:
		return C.int64_t(wait)
	}
}

// Options say how a queue is made; zero means the default.
type Options struct {
	Capacity, Retain      uint64
	BlockSize, Mode       uint32
	MaxGroups, MaxMembers uint32
	Topic, Fenced         bool
}

func (o *Options) c() *C.slipring_queue_options {
	options := new(C.slipring_queue_options)
	C.slipring_queue_options_init(options)
	if o != nil {
		options.capacity, options.retain = C.uint64_t(o.Capacity), C.uint64_t(o.Retain)
		options.block_size, options.mode = C.uint32_t(o.BlockSize), C.uint32_t(o.Mode)
		options.max_groups, options.max_members = C.uint32_t(o.MaxGroups), C.uint32_t(o.MaxMembers)
		if o.Topic {
			options.flags |= C.SLIPRING_TOPIC
		}
		if o.Fenced {
			options.flags |= C.SLIPRING_FENCED
		}
	}
	return options
}

// Queue is an open queue. Closing it leaves its producers and consumers at work.
type Queue struct{ handle *C.slipring_queue }

func opened(call_, name string, open func(name *C.char, out **C.slipring_queue) C.slipring_status) (*Queue, error) {
	cName, err := cString(call_, name)
	if err != nil {
		return nil, err
	}
	defer free(cName)
	queue := new(Queue)
	if err := call(call_, func() C.slipring_status { return open(cName, &queue.handle) }); err != nil {
		return nil, err
	}
	return queue, nil
}

// Create makes a queue and opens it. Options may be nil.
func Create(name string, options *Options) (*Queue, error) {
	return opened("slipring_create", name, func(name *C.char, out **C.slipring_queue) C.slipring_status {
		return C.slipring_create(name, options.c(), out)
	})
}

// Open opens a queue that exists.
func Open(name string) (*Queue, error) {
	return opened("slipring_open", name, func(name *C.char, out **C.slipring_queue) C.slipring_status {
		return C.slipring_open(name, out)
	})
}

// OpenOrCreate opens the queue of that name, or makes it; the options count only then.
func OpenOrCreate(name string, options *Options) (*Queue, error) {
	return opened("slipring_open_or_create", name, func(name *C.char, out **C.slipring_queue) C.slipring_status {
		return C.slipring_open_or_create(name, options.c(), out)
	})
}

// Unlink removes a queue's name. Who has it open goes on.
func Unlink(name string) error {
	cName, err := cString("slipring_unlink", name)
	if err != nil {
		return err
	}
	defer free(cName)
	return call("slipring_unlink", func() C.slipring_status { return C.slipring_unlink(cName) })
}

// Shutdown closes the queue for good: producers stop, consumers drain.
func (q *Queue) Shutdown() error {
	return call("slipring_shutdown", func() C.slipring_status { return C.slipring_shutdown(q.handle) })
}

// Close lets the queue go.
func (q *Queue) Close() {
	C.slipring_close(q.handle)
	q.handle = nil
}

// Producer is the sending side.
type Producer struct{ handle *C.slipring_producer }

// Producer becomes a producer.
func (q *Queue) Producer() (*Producer, error) {
	producer := new(Producer)
	err := call("slipring_producer_open", func() C.slipring_status {
		return C.slipring_producer_open(q.handle, &producer.handle)
	})
	if err != nil {
		return nil, err
	}
	return producer, nil
}

// Send sends a message, with an event name unless that is "". Full or Timeout: there was no room in time.
func (p *Producer) Send(payload []byte, event string, wait time.Duration) error {
	cEvent, err := cString("slipring_send_event", event)
	if err != nil {
		return err
	}
	defer free(cEvent)
	var data unsafe.Pointer
	if len(payload) > 0 {
		data = unsafe.Pointer(&payload[0])
	}
	return call("slipring_send_event", func() C.slipring_status {
		return C.slipring_send_event(p.handle, cEvent, data, C.size_t(len(payload)), nanoseconds(wait))
	})
}

// Close leaves the queue.
func (p *Producer) Close() {
	C.slipring_producer_close(p.handle)
	p.handle = nil
}

// ConsumerOptions say how a consumer joins; zero means the default. All but Latest, Prefetch and Lossy are settings of the group.
type ConsumerOptions struct {
	Latest, Lossy      bool
	Prefetch           uint32
	MaxDeliveries      uint32
	DeadLetter, Filter string
}

// Consumer is the receiving side.
type Consumer struct{ handle *C.slipring_consumer }

// Consumer joins a group, which is made if there is none of that name; "" is an anonymous group of one. Options may be nil.
func (q *Queue) Consumer(group string, options *ConsumerOptions) (*Consumer, error) {
	const name = "slipring_consumer_open"
	if options == nil {
		options = new(ConsumerOptions)
	}
	var texts [3]*C.char
	for i, text := range [3]string{group, options.DeadLetter, options.Filter} {
		cText, err := cString(name, text)
		if err != nil {
			return nil, err
		}
		defer free(cText)
		texts[i] = cText
	}
	var given C.slipring_consumer_options
	C.slipring_consumer_options_init(&given)
	given.prefetch, given.max_deliveries = C.uint32_t(options.Prefetch), C.uint32_t(options.MaxDeliveries)
	given.dead_letter, given.filter = texts[1], texts[2]
	if options.Latest {
		given.start = C.SLIPRING_LATEST
	}
	if options.Lossy {
		given.flags = C.SLIPRING_LOSSY
	}
	consumer := new(Consumer)
	err := call(name, func() C.slipring_status {
		return C.slipring_consumer_open(q.handle, texts[0], &given, &consumer.handle)
	})
	if err != nil {
		return nil, err
	}
	return consumer, nil
}

// Receive returns the next message. Empty or Timeout: there was none in time. Closed: and there will be none.
func (c *Consumer) Receive(wait time.Duration) (*Message, error) {
	message := &Message{consumer: c}
	err := call("slipring_borrow", func() C.slipring_status {
		return C.slipring_borrow(c.handle, nanoseconds(wait), &message.c)
	})
	if err != nil {
		return nil, err
	}
	return message, nil
}

// Lag counts the messages that the group has not acked.
func (c *Consumer) Lag() uint64 { return uint64(C.slipring_lag(c.handle)) }

// Close leaves the group; messages that were not settled are given back.
func (c *Consumer) Close() {
	C.slipring_consumer_close(c.handle)
	c.handle = nil
}

// Message is a message in hand, until it is acked, retried or rejected, or its consumer closed.
type Message struct {
	consumer *Consumer
	c        C.slipring_message
}

// inHand says whether the message's memory is still its own.
func (m *Message) inHand() bool { return m.consumer != nil && m.consumer.handle != nil }

// Payload is the payload in the queue itself, without a copy: not to be written to, and not to be used after the message was settled or its
// consumer closed, for then other messages come to lie there, or nothing. Asked after that it is nil. Bytes is the one to keep.
func (m *Message) Payload() []byte {
	if !m.inHand() || m.c.len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(m.c.data), int(m.c.len))
}

// Bytes is a copy of the payload, for as long as you like. It is made while the message is in hand; nil after that.
func (m *Message) Bytes() []byte { return append([]byte(nil), m.Payload()...) }

// Event is a copy of the event name, "" if there is none.
func (m *Message) Event() string {
	if !m.inHand() {
		return ""
	}
	return C.GoStringN(m.c.event, C.int(m.c.event_len))
}

// Position names the message in its queue for ever.
func (m *Message) Position() uint64 { return uint64(m.c.position) }

// Deliveries says how often the message was delivered to this group, this time included.
func (m *Message) Deliveries() int { return int(m.c.deliveries) }

// Ack says that it is done: no crash of anybody brings it back.
func (m *Message) Ack() error {
	return m.settle("slipring_ack", func(c *C.slipring_consumer) C.slipring_status { return C.slipring_ack(c, &m.c) })
}

// Retry gives the message back, to be delivered again.
func (m *Message) Retry() error {
	return m.settle("slipring_retry", func(c *C.slipring_consumer) C.slipring_status { return C.slipring_retry(c, &m.c) })
}

// Reject puts the message aside as a dead letter.
func (m *Message) Reject(reason string) error {
	cReason, err := cString("slipring_reject", reason)
	if err != nil {
		return err
	}
	defer free(cReason)
	return m.settle("slipring_reject", func(c *C.slipring_consumer) C.slipring_status {
		return C.slipring_reject(c, &m.c, cReason)
	})
}

func (m *Message) settle(name string, f func(*C.slipring_consumer) C.slipring_status) error {
	if !m.inHand() {
		return &Error{name, Invalid, "the message is no longer in hand"}
	}
	handle := m.consumer.handle
	m.consumer = nil
	return call(name, func() C.slipring_status { return f(handle) })
}
