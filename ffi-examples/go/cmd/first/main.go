// Sends what it is given as arguments, and receives it again: first QUEUE [TEXT...]
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"slipring"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: first QUEUE [TEXT...]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(name string, texts []string) error {
	queue, err := slipring.OpenOrCreate(name, &slipring.Options{Capacity: 1 << 20})
	if err != nil {
		return err
	}
	defer queue.Close()
	producer, err := queue.Producer()
	if err != nil {
		return err
	}
	defer producer.Close()
	for _, text := range texts {
		if err := producer.Send([]byte(text), "greeting", slipring.Forever); err != nil {
			return err
		}
	}
	consumer, err := queue.Consumer("default", nil)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for {
		message, err := consumer.Receive(0)
		if errors.Is(err, slipring.Empty) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s %d %s\n", message.Event(), message.Deliveries(), message.Payload())
		if err := message.Ack(); err != nil {
			return err
		}
	}
}
