//! The pollable descriptor with poll(2), mio and tokio. It is edge-safe: after `try_recv` said `Empty`, what comes makes it readable.

use super::child::{Child, SOON, Times, alone, listen, readable, say};
use super::common::TempDir;
use super::{both_ways, queue};
use slipring::{Consumer, Producer, Queue, RecvError};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

const MESSAGES: u64 = 100;
/// By itself it becomes readable after 50 ms, so that without a ring half of the messages would take longer than this.
const RUNG: Duration = Duration::from_millis(25);

both_ways! { poll_2 mio_poll tokio_async_fd one_ring_for_one_message pollers_beside_sleepers }

/// Sends what it is told to.
pub fn play(arguments: &[String]) {
    let queue = Queue::open(&arguments[0]).unwrap();
    let mut tx = queue.producer().unwrap();
    say("ready");
    loop {
        match listen().as_str() {
            "" => return,
            text => drop(tx.send(text.as_bytes()).unwrap()),
        }
    }
}

struct Scene {
    _dir: TempDir,
    queue: Queue,
    sender: Child,
}

fn scene(fenced: bool) -> Scene {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let mut sender = Child::start("pollable", &[queue.name()]);
    assert_eq!(sender.hear(), "ready");
    Scene { _dir: dir, queue, sender }
}

/// Receives all there is, and returns how many that were.
fn drain(rx: &Consumer, expected: &str) -> u64 {
    let mut got = 0;
    loop {
        match rx.try_recv() {
            Ok(message) => {
                assert_eq!(message.payload(), expected.as_bytes());
                message.ack().unwrap();
                got += 1;
            }
            Err(RecvError::Empty) => return got,
            Err(error) => panic!("{error}"),
        }
    }
}

/// One message at a time; `wait` waits until the descriptor is readable.
fn one_at_a_time(sender: &mut Child, rx: &Consumer, mut wait: impl FnMut(&Consumer)) {
    let (mut times, mut wakes) = (Times::default(), 0);
    assert_eq!(drain(rx, ""), 0);
    for round in 0..MESSAGES {
        let text = format!("message {round}");
        let start = Instant::now();
        sender.tell(&text);
        let mut got = 0;
        while got == 0 {
            assert!(start.elapsed() < SOON);
            wait(rx);
            wakes += 1;
            got = drain(rx, &text);
        }
        assert_eq!(got, 1);
        times.add(start.elapsed());
    }
    println!("{wakes} wakes for {MESSAGES} messages");
    times.report("told to received");
    assert!(times.percentile(50) < RUNG, "nobody rings");
}

fn poll_2(fenced: bool) {
    let _alone = alone();
    let mut scene = scene(fenced);
    let rx = scene.queue.consumer("default").unwrap();
    let fd = rx.as_fd().as_raw_fd();
    one_at_a_time(&mut scene.sender, &rx, |_| assert!(readable(fd, SOON)));
}

fn mio_poll(fenced: bool) {
    let _alone = alone();
    let mut scene = scene(fenced);
    let rx = scene.queue.consumer("default").unwrap();
    let mut poll = mio::Poll::new().unwrap();
    let fd = rx.as_fd().as_raw_fd();
    let mut source = mio::unix::SourceFd(&fd);
    poll.registry().register(&mut source, mio::Token(7), mio::Interest::READABLE).unwrap();
    let mut events = mio::Events::with_capacity(8);
    one_at_a_time(&mut scene.sender, &rx, |_| {
        poll.poll(&mut events, Some(SOON)).unwrap();
        assert!(events.iter().all(|event| event.token() == mio::Token(7) && event.is_readable()));
        assert!(!events.is_empty());
    });
}

fn tokio_async_fd(fenced: bool) {
    let _alone = alone();
    let mut scene = scene(fenced);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rx = scene.queue.consumer("default").unwrap();
    let _inside = runtime.enter();
    let readable = tokio::io::Interest::READABLE;
    // SAFETY: the descriptor is `rx`'s, which outlives the registration.
    let fd = unsafe { tokio::io::unix::AsyncFd::register_with_interest(rx.as_fd(), readable) };
    let fd = fd.unwrap();
    one_at_a_time(&mut scene.sender, &rx, |_| {
        runtime.block_on(async {
            let ready = tokio::time::timeout(SOON, fd.readable()).await;
            ready.unwrap().unwrap().clear_ready();
        });
    });
}

/// Several pollers of one group: a message makes one of them readable, not all.
fn one_ring_for_one_message(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let mut tx = queue.producer().unwrap();
    let pollers: Vec<Consumer> = (0..4).map(|_| queue.consumer("default").unwrap()).collect();
    let (mut rung, mut rounds) = (0, 0);
    let fds: Vec<i32> = pollers.iter().map(|rx| rx.as_fd().as_raw_fd()).collect();
    let start = Instant::now();
    while rounds < 50 {
        assert!(start.elapsed() < SOON);
        // Quiet first: their own timers ring now and then.
        let armed = Instant::now();
        pollers.iter().for_each(|rx| assert_eq!(drain(rx, "x"), 0));
        send(&mut tx);
        let ready = fds.iter().filter(|fd| readable(**fd, Duration::ZERO)).count();
        let in_time = armed.elapsed() < Duration::from_millis(30);
        assert_eq!(pollers.iter().map(|rx| drain(rx, "x")).sum::<u64>(), 1);
        if in_time {
            rung += ready;
            rounds += 1;
        }
    }
    assert_eq!(rung, rounds, "one ring for each message");
}

fn send(tx: &mut Producer) {
    tx.try_send(b"x").unwrap();
}

/// A group whose members wait in different ways: whoever it is, one of them gets each message soon.
fn pollers_beside_sleepers(fenced: bool) {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14, fenced);
    let mut tx = queue.producer().unwrap();
    let (polling, sleeping) =
        (queue.consumer("default").unwrap(), queue.consumer("default").unwrap());
    let total = 200;
    let got = std::sync::atomic::AtomicU64::new(0);
    let count = |n| got.fetch_add(n, std::sync::atomic::Ordering::SeqCst) + n;
    let count = &count;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while count(0) < total {
                if let Ok(message) = sleeping.recv_timeout(Duration::from_millis(5)) {
                    message.ack().unwrap();
                    count(1);
                }
            }
        });
        scope.spawn(move || {
            while count(0) < total {
                count(drain(&polling, "x"));
                readable(polling.as_fd().as_raw_fd(), Duration::from_millis(5));
            }
        });
        for n in 1..=total {
            let start = Instant::now();
            send(&mut tx);
            while count(0) < n {
                assert!(start.elapsed() < SOON, "nobody got message {n}");
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    });
}
