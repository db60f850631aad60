// A first program: sends what it is given as arguments, then receives it again.
#include <slipring.hpp>

#include <exception>
#include <iostream>
#include <stdexcept>

static void run(int argc, char **argv) {
    slipring::queue_options options;
    options.capacity = 1u << 20;
    auto queue = slipring::queue::open_or_create(argv[1], options);
    auto producer = queue.producer();
    for (int i = 2; i < argc; i++) {
        // Waits for room; false means that somebody closed the queue.
        if (!producer.send(argv[i])) throw std::runtime_error("the queue is closed");
    }
    auto consumer = queue.consumer("default");
    while (auto message = consumer.receive(slipring::wait::none())) {
        std::cout << message->view() << '\n';
        message->ack();
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " QUEUE [TEXT...]\n";
        return 2;
    }
    try {
        run(argc, argv);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
