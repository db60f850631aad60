package slipring

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func setUp(t *testing.T) (string, *Queue, *Producer, *Consumer) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "queue")
	queue, err := Create(name, &Options{Capacity: 1 << 20})
	must(t, err)
	producer, err := queue.Producer()
	must(t, err)
	consumer, err := queue.Consumer("default", nil)
	must(t, err)
	t.Cleanup(func() { consumer.Close(); producer.Close(); queue.Close() })
	return name, queue, producer, consumer
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err error, status Status) {
	t.Helper()
	if !errors.Is(err, status) {
		t.Fatalf("%v, not %v", err, status)
	}
}

func TestBytesArriveAsTheyWere(t *testing.T) {
	_, _, producer, consumer := setUp(t)
	for _, payload := range [][]byte{nil, []byte("a\x00b"), bytes.Repeat([]byte{0, 255, 7}, 30_000)} {
		must(t, producer.Send(payload, "straße", 0))
		message, err := consumer.Receive(0)
		must(t, err)
		kept := message.Bytes()
		if !bytes.Equal(message.Payload(), payload) || message.Event() != "straße" || message.Deliveries() != 1 {
			t.Fatal(message.Event(), message.Deliveries(), len(message.Payload()))
		}
		must(t, message.Ack())
		if message.Payload() != nil || message.Event() != "" || !bytes.Equal(kept, payload) {
			t.Fatal("in hand after the ack, or the copy is none")
		}
		is(t, message.Ack(), Invalid)
	}
}

func TestAMessageGivenBackComesAgain(t *testing.T) {
	_, queue, producer, consumer := setUp(t)
	must(t, producer.Send([]byte("job"), "", 0))
	message, err := consumer.Receive(0)
	must(t, err)
	must(t, message.Retry())
	again, err := consumer.Receive(0)
	must(t, err)
	if again.Deliveries() != 2 || string(again.Payload()) != "job" {
		t.Fatal(again.Deliveries())
	}
	consumer.Close()
	if again.Payload() != nil {
		t.Fatal("in hand after its consumer closed")
	}
	is(t, again.Ack(), Invalid)
	other, err := queue.Consumer("default", nil)
	must(t, err)
	defer other.Close()
	last, err := other.Receive(0)
	must(t, err)
	must(t, last.Reject("why"))
	_, err = other.Receive(0)
	is(t, err, Empty)
}

func TestFlowIsToldFromFailure(t *testing.T) {
	name, queue, producer, consumer := setUp(t)
	_, err := consumer.Receive(time.Millisecond)
	is(t, err, Timeout)
	_, err = consumer.Receive(-time.Second)
	is(t, err, Empty)
	for err = nil; err == nil; {
		err = producer.Send(make([]byte, 100_000), "", 0)
	}
	is(t, err, Full)
	must(t, queue.Shutdown())
	is(t, producer.Send(nil, "", Forever), Closed)
	for err = nil; err == nil; {
		var message *Message
		if message, err = consumer.Receive(Forever); err == nil {
			must(t, message.Ack())
		}
	}
	is(t, err, Closed)
	_, err = Open(name + "-not-there")
	is(t, err, NotFound)
	_, err = Open(name + "\x00")
	is(t, err, Invalid)
	is(t, producer.Send(nil, "a\x00b", 0), Invalid)
	producer.Close()
	is(t, producer.Send(nil, "", 0), Invalid)
}

func TestOptionsReachTheLibrary(t *testing.T) {
	name, queue, producer, _ := setUp(t)
	options := &ConsumerOptions{MaxDeliveries: 1, DeadLetter: name + ".dead", Filter: "order.*"}
	picky, err := queue.Consumer("picky", options)
	must(t, err)
	defer picky.Close()
	must(t, producer.Send([]byte("other"), "bill.paid", 0))
	must(t, producer.Send([]byte("bad"), "order.paid", 0))
	message, err := picky.Receive(0)
	must(t, err)
	must(t, message.Reject("no such order"))
	_, err = picky.Receive(0)
	is(t, err, Empty)
	dead, err := Open(name + ".dead")
	must(t, err)
	defer dead.Close()
	letters, err := dead.Consumer("", nil)
	must(t, err)
	defer letters.Close()
	_, err = letters.Receive(0)
	must(t, err)
}

func TestAWaitBlocksOneGoroutineOnly(t *testing.T) {
	_, _, producer, consumer := setUp(t)
	received := make(chan string)
	go func() {
		message, err := consumer.Receive(time.Minute)
		if err != nil {
			received <- err.Error()
			return
		}
		received <- string(message.Bytes())
	}()
	time.Sleep(10 * time.Millisecond)
	must(t, producer.Send([]byte("late"), "", 0))
	if got := <-received; got != "late" {
		t.Fatal(got)
	}
}
