// Sends the records of a file, or writes what it receives as records.
//
//	records send QUEUE FILE
//	records work QUEUE GROUP FILE [N]
//
// A record is an event name and a payload, each after its length (u32, little-endian); no name means no event. work ends when the queue is
// closed and drained. With N it stops for ever at its Nth message, to show that another worker gets it when this one is killed.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"slipring"
)

func main() {
	var err error
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "send":
		err = send(args[1], args[2])
	case len(args) == 4 && args[0] == "work":
		err = work(args[1], args[2], args[3], 0)
	case len(args) == 5 && args[0] == "work":
		var stopAt uint64
		if stopAt, err = strconv.ParseUint(args[4], 10, 64); err != nil {
			usage()
		}
		err = work(args[1], args[2], args[3], stopAt)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "records:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: records send QUEUE FILE | work QUEUE GROUP FILE [N]")
	os.Exit(2)
}

func send(name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	queue, err := slipring.Open(name)
	if err != nil {
		return err
	}
	defer queue.Close()
	producer, err := queue.Producer()
	if err != nil {
		return err
	}
	defer producer.Close()
	for in := bufio.NewReader(file); ; {
		event, err := readPart(in)
		if err == io.EOF {
			// For good: consumers get what is left, and then the end.
			return queue.Shutdown()
		}
		if err != nil {
			return err
		}
		payload, err := readPart(in)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if err := producer.Send(payload, string(event), slipring.Forever); err != nil {
			return err
		}
	}
}

func readPart(in io.Reader) ([]byte, error) {
	var length uint32
	if err := binary.Read(in, binary.LittleEndian, &length); err != nil {
		return nil, err
	}
	part := make([]byte, length)
	if _, err := io.ReadFull(in, part); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return part, nil
}

func work(name, group, path string, stopAt uint64) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer file.Close()
	queue, err := slipring.Open(name)
	if err != nil {
		return err
	}
	defer queue.Close()
	consumer, err := queue.Consumer(group, nil)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for count := uint64(1); ; count++ {
		message, err := consumer.Receive(slipring.Forever)
		if errors.Is(err, slipring.Closed) {
			return nil
		}
		if err != nil {
			return err
		}
		if count == stopAt {
			fmt.Println("holding")
			for {
				time.Sleep(time.Hour)
			}
		}
		var record []byte
		record = appendPart(record, []byte(message.Event()))
		record = appendPart(record, message.Payload())
		if _, err := file.Write(record); err != nil {
			return err
		}
		// After it was written: a worker that dies before leaves the message to another.
		if err := message.Ack(); err != nil {
			return err
		}
	}
}

func appendPart(record, part []byte) []byte {
	record = binary.LittleEndian.AppendUint32(record, uint32(len(part)))
	return append(record, part...)
}
