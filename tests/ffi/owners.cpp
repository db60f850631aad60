// What slipring.hpp adds to C: owners that move and clean up, empty optionals, exceptions. owners DIRECTORY
#include <slipring.hpp>

#include <cstring>
#include <dirent.h>
#include <fstream>
#include <iostream>
#include <vector>

using namespace slipring;

#define CHECK(condition)                                                                                                               \
    do {                                                                                                                               \
        if (!(condition)) throw std::logic_error(std::to_string(__LINE__) + ": " #condition);                                         \
    } while (0)

namespace {

template <class Call> slipring_status refused(Call call) {
    try {
        call();
    } catch (const error &failure) {
        CHECK(std::string(failure.what()).rfind("slipring_", 0) == 0);
        return failure.status();
    }
    return SLIPRING_OK;
}

queue_options small() {
    queue_options options;
    options.capacity = 1 << 20;
    return options;
}

void messages_and_reservations(queue &q) {
    auto tx = q.producer();
    auto rx = q.consumer("default");
    CHECK(!rx.receive(wait::none()) && !rx.closed());
    {
        auto space = tx.reserve_event("frame", 100);
        CHECK(space && space->size() == 100);
        std::memset(space->data(), 'x', 100);
        CHECK(refused([&] { space->commit(101); }) == SLIPRING_INVALID);
        auto moved = std::move(*space);
        moved.commit(10);
        CHECK(refused([&] { moved.commit(); }) == SLIPRING_INVALID);
    }
    { auto given_up = tx.reserve(50); }
    CHECK(tx.send_event(nullptr, "plain"));
    CHECK(tx.send("third", std::chrono::hours::max()));
    {
        std::vector<message> hands;
        while (auto message = rx.receive(wait::none())) hands.push_back(std::move(*message));
        CHECK(hands.size() == 3);
        CHECK(hands[0].event() == "frame" && hands[0].view() == "xxxxxxxxxx");
        CHECK(hands[1].event().empty() && hands[1].view() == "plain");
        hands[1].ack();
        CHECK(refused([&] { hands[1].ack(); }) == SLIPRING_INVALID);
    }
    // The other two were given back by their destructors.
    auto again = rx.receive(std::chrono::seconds(5));
    CHECK(again && again->deliveries() == 2 && again->event() == "frame");
    auto kept = std::move(*again);
    again.reset();
    kept.ack();
    again = rx.receive(std::chrono::seconds(5));
    CHECK(again && again->view() == "third");
    again->ack();
}

void batches(queue &q) {
    auto tx = q.producer();
    auto rx = q.consumer("default");
    CHECK(tx.send_batch({"one", "", "three"}) == 3);
    auto hands = rx.receive_batch(2);
    CHECK(hands.size() == 2 && hands[0].view() == "one" && hands[1].size() == 0);
    for (auto &message : hands) message.ack();
    hands = rx.receive_batch(10);
    CHECK(hands.size() == 1 && hands[0].view() == "three");
    hands[0].ack();
    CHECK(rx.receive_batch(10, wait::none()).empty() && !rx.closed());
}

void full_and_closed(queue &q) {
    auto tx = q.producer();
    auto rx = q.consumer("default");
    int sent = 0, got = 0;
    while (tx.send("0123456789", wait::none())) sent++;
    CHECK(sent > 1000 && !tx.closed());
    CHECK(!tx.send("x", std::chrono::milliseconds(5)) && !tx.reserve(10, wait::none()));
    q.shutdown();
    CHECK(!tx.send("x") && tx.closed());
    while (auto message = rx.receive()) {
        message->ack();
        got++;
    }
    CHECK(got == sent && rx.closed() && rx.receive_batch(1).empty());
}

void life(const std::string &name) {
    auto q = queue::open_or_create(name, small());
    messages_and_reservations(q);
    batches(q);
    full_and_closed(q);
    auto other = std::move(q);
    CHECK(q.get() == nullptr && refused([&] { q.stats(); }) == SLIPRING_INVALID);
    queue::unlink(name);
    CHECK(refused([&] { queue::open(name); }) == SLIPRING_NOT_FOUND);

    auto unnamed = queue::create_memfd("unnamed", small());
    auto opened = queue::open_fd(unnamed.fd());
    unnamed.producer().send("through");
    {
        auto rx = opened.consumer("default");
        auto message = rx.receive();
        CHECK(message && message->view() == "through" && rx.fd() >= 0);
        message->ack();
    }
    opened.drop_group("default");
    CHECK(refused([&] { opened.drop_group("default"); }) == SLIPRING_NOT_FOUND);
}

int descriptors() {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != nullptr) count++;
    closedir(directory);
    return count;
}

int shared_mappings() {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find("-s ") != std::string::npos) count++;
    }
    return count;
}

} // namespace

int main(int, char **argv) {
    const std::string name = std::string(argv[1]) + "/q";
    try {
        life(name);
        const int before[] = {descriptors(), shared_mappings()};
        for (int i = 0; i < 10; i++) life(name);
        CHECK(descriptors() == before[0] && shared_mappings() == before[1]);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
