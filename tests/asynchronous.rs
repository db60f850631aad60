//! The feature `async`: futures that may be dropped at any await, wake-ups that are not lost, room that is waited for without holding
//! anybody up, and tasks that move between threads; within a process and between two.

mod common;

#[path = "processes/child.rs"]
mod child;

use child::{Child, Random, SOON, Times, alone};
use common::{TempDir, queue};
use futures_util::{SinkExt, StreamExt};
use slipring::asynchronous::{AsyncConsumer, AsyncProducer, Delivery, Recv};
use slipring::{Queue, RecvError, SendError};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, yield_now};
use tokio::time::timeout;

/// Sixteen blocks: full at once.
const TINY: u64 = 1024;
/// By itself a descriptor becomes readable after 50 ms, so that without a ring half of the messages would take longer than this.
const RUNG: Duration = Duration::from_millis(25);

#[test]
fn child() {
    let Some(line) = child::role() else { return };
    let queue = Queue::open(&line[1]).unwrap();
    match line[0].as_str() {
        "echo" => play_echo(&queue),
        "flood" => play_flood(&queue, line[2].parse().unwrap()),
        other => panic!("{other}"),
    }
}

/// Sends what it is told to.
fn play_echo(queue: &Queue) {
    let mut tx = queue.producer().unwrap();
    child::say("ready");
    loop {
        match child::listen().as_str() {
            "" => return,
            text => drop(tx.send(text.as_bytes()).unwrap()),
        }
    }
}

/// Sends numbers as fast as there is room, and closes the queue.
fn play_flood(queue: &Queue, count: u64) {
    local(async {
        let mut sink = AsyncProducer::new(queue.producer().unwrap()).into_sink();
        for number in 0..count {
            sink.send(number.to_string()).await.unwrap();
        }
    });
    queue.close().unwrap();
}

/// On this thread alone, and not for ever.
fn local<T>(body: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let bounded = async { timeout(SOON, body).await.expect("somebody waits for ever") };
    LocalSet::new().block_on(&runtime, bounded)
}

fn consumer(queue: &Queue) -> AsyncConsumer {
    AsyncConsumer::new(queue.consumer("default").unwrap()).unwrap()
}

fn producer(queue: &Queue) -> AsyncProducer {
    AsyncProducer::new(queue.producer().unwrap())
}

fn number(payload: &[u8]) -> u64 {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

/// Acks it, and says what it was; it has come for the first time.
fn done(message: Delivery<'_>) -> u64 {
    assert_eq!(message.deliveries(), 1);
    let number = number(message.payload());
    message.ack().unwrap();
    number
}

#[test]
fn what_another_process_sends_wakes_at_once() {
    let _alone = alone();
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let mut sender = Child::start("echo", &[queue.name()]);
    assert_eq!(sender.hear(), "ready");
    let mut times = Times::default();
    local(async {
        let mut rx = consumer(&queue);
        for round in 0..100 {
            // It sleeps when the message is sent: the first poll found nothing.
            let mut waiting = asleep(rx.recv()).await;
            let start = Instant::now();
            sender.tell(&round.to_string());
            let message = (&mut waiting).await.unwrap();
            times.add(start.elapsed());
            assert_eq!(done(message), round);
        }
    });
    times.report("told to received");
    assert!(times.percentile(50) < RUNG, "nobody rings");
}

/// Polls a future once, which is to find nothing.
async fn asleep(mut recv: Recv<'_>) -> Recv<'_> {
    tokio::select! {
        biased;
        result = &mut recv => panic!("{:?}", result.map(done)),
        () = yield_now() => {}
    }
    recv
}

#[test]
fn a_stream_from_another_process_is_whole_and_ends_when_the_queue_is_closed() {
    const COUNT: u64 = 20_000;
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    let sender = Child::start("flood", &[queue.name(), &COUNT.to_string()]);
    let seen = local(async {
        let mut rx = consumer(&queue);
        let mut messages = rx.messages();
        let mut seen = 0;
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            assert_eq!((number(message.payload()), message.deliveries()), (seen, 1));
            message.ack().unwrap();
            seen += 1;
        }
        assert!(messages.next().await.is_none());
        seen
    });
    assert_eq!(seen, COUNT);
    sender.finish();
}

#[test]
fn a_dropped_receive_has_taken_nothing() {
    const COUNT: u64 = 2000;
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    let mut random = Random::from_time();
    let dropped = local(async {
        let (mut tx, mut rx) = (producer(&queue), consumer(&queue));
        tokio::task::spawn_local(async move {
            for number in 0..COUNT {
                tx.send(number.to_string().as_bytes()).await.unwrap();
                yield_now().await;
            }
        });
        let (mut expected, mut dropped) = (0, 0);
        while expected < COUNT {
            let turns = random.below(4);
            let patience = async {
                for _ in 0..turns {
                    yield_now().await;
                }
            };
            tokio::select! {
                message = rx.recv() => {
                    assert_eq!(done(message.unwrap()), expected);
                    expected += 1;
                }
                () = patience => dropped += 1,
            }
        }
        dropped
    });
    assert!(dropped > 10, "only {dropped} futures were dropped");
    assert_eq!(queue.stats().groups[0].lag, 0);
}

#[test]
fn a_dropped_send_has_sent_nothing() {
    const COUNT: u64 = 300;
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    let mut random = Random::from_time();
    let dropped = local(async {
        let (mut tx, mut rx) = (producer(&queue), consumer(&queue));
        let receiver = tokio::task::spawn_local(async move {
            for expected in 0..COUNT {
                assert_eq!(done(rx.recv().await.unwrap()), expected);
                // Slower than the sender is patient.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut dropped = 0;
        for number in 0..COUNT {
            let payload = number.to_string();
            let mut patience = || Duration::from_micros(random.below(3000));
            while timeout(patience(), tx.send(payload.as_bytes()))
                .await
                .map(Result::unwrap)
                .is_err()
            {
                dropped += 1;
            }
        }
        receiver.await.unwrap();
        dropped
    });
    assert!(dropped > 10, "only {dropped} futures were dropped");
    assert_eq!(queue.stats().sent, COUNT);
}

#[test]
fn many_tasks_on_many_threads_share_the_messages() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 1000;
    const WORKERS: usize = 24;
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 14);
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let mut seen = runtime.block_on(async {
        let work = async |mut rx: AsyncConsumer| {
            let mut seen = Vec::new();
            loop {
                match rx.recv().await {
                    Ok(message) => {
                        // Held over an await, after which the thread may be another one.
                        yield_now().await;
                        seen.push(done(message));
                    }
                    Err(RecvError::Closed) => return seen,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(work(consumer(&queue)))).collect();
        let send = async |mut tx: AsyncProducer, from: u64| {
            for number in from..from + EACH {
                tx.send_event("number", number.to_string().as_bytes()).await.unwrap();
            }
        };
        let senders: Vec<_> =
            (0..SENDERS).map(|n| tokio::spawn(send(producer(&queue), n * EACH))).collect();
        for sender in senders {
            timeout(SOON, sender).await.expect("a sender waits for ever").unwrap();
        }
        queue.close().unwrap();
        let mut seen = Vec::new();
        for worker in workers {
            seen.extend(timeout(SOON, worker).await.expect("a worker waits for ever").unwrap());
        }
        seen
    });
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..SENDERS * EACH), "each message once");
}

#[test]
fn waiting_for_room_holds_nobody_up() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    local(async {
        let mut full = queue.producer().unwrap();
        while full.try_send(b"1").is_ok() {}
        let mut sink = producer(&queue).into_sink();
        let mut turns = 0;
        let others = async {
            // Long enough for the sink to go from turns to naps.
            while turns < 50 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                turns += 1;
            }
        };
        tokio::select! {
            result = sink.send("2") => panic!("there is no room: {result:?}"),
            () = others => {}
        }
        assert_eq!(turns, 50);
        // The item waits in the sink, and goes first.
        let mut rx = consumer(&queue);
        assert_eq!(done(rx.recv().await.unwrap()), 1);
        sink.flush().await.unwrap();
        queue.close().unwrap();
        assert_eq!(sink.send("3").await, Err(SendError::Closed));
        let mut last = 0;
        while let Ok(message) = rx.recv().await {
            last = done(message);
        }
        assert_eq!(last, 2);
    });
}

#[test]
fn a_queue_that_is_never_empty_lets_others_run() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", 1 << 18);
    local(async {
        let ran = Rc::new(Cell::new(0));
        let others = Rc::clone(&ran);
        tokio::task::spawn_local(async move {
            loop {
                others.set(others.get() + 1);
                yield_now().await;
            }
        });
        let mut sink = producer(&queue).into_sink();
        for number in 0..1000 {
            sink.feed(number.to_string()).await.unwrap();
        }
        let while_sending = ran.replace(0);
        let mut rx = consumer(&queue);
        let mut messages = rx.messages();
        for _ in 0..1000 {
            messages.next().await.unwrap().unwrap().ack().unwrap();
        }
        assert!(while_sending > 1 && ran.get() > 1, "{while_sending} and {} turns", ran.get());
    });
}

#[test]
fn closing_wakes_and_a_message_in_hand_puts_the_end_off() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    local(async {
        let (mut tx, mut rx) = (producer(&queue), consumer(&queue));
        let mut other = consumer(&queue);
        tx.send(b"7").await.unwrap();
        let held = rx.recv().await.unwrap();
        queue.close().unwrap();
        let mut waiting = asleep(other.recv()).await;
        assert_eq!(done(held), 7);
        assert!(matches!((&mut waiting).await, Err(RecvError::Closed)));
        assert!(matches!(rx.recv().await, Err(RecvError::Closed)));
    });
}

#[test]
fn a_delivery_that_is_dropped_comes_again() {
    let dir = TempDir::new();
    let queue = queue(&dir, "q", TINY);
    local(async {
        let (mut tx, mut rx) = (producer(&queue), consumer(&queue));
        tx.send(b"7").await.unwrap();
        drop(rx.recv().await.unwrap());
        rx.recv().await.unwrap().retry().unwrap();
        assert_eq!(rx.recv().await.unwrap().deliveries(), 3);
        rx.recv().await.unwrap().reject("seen often enough").unwrap();
        assert_eq!(rx.get_ref().try_recv().unwrap_err(), RecvError::Empty);
        assert_eq!(rx.into_inner().lag(), 0);
    });
}

#[test]
fn a_lossy_stream_says_what_it_missed_and_goes_on() {
    let dir = TempDir::new();
    let queue = Queue::options().capacity(TINY).topic(true).create(&dir.path("q")).unwrap();
    local(async {
        let lossy = queue.consumer_options().lossy(true).open().unwrap();
        let mut rx = AsyncConsumer::new(lossy).unwrap();
        let mut tx = producer(&queue);
        for number in 0..100_u64 {
            tx.send(number.to_string().as_bytes()).await.unwrap();
        }
        queue.close().unwrap();
        let items: Vec<_> =
            rx.messages().map(|item| item.map(|m| number(m.payload()))).collect().await;
        assert!(matches!(items[0], Err(RecvError::Lagged { missed }) if missed > 80), "{items:?}");
        assert!(items[1..].iter().all(Result::is_ok) && items.last() == Some(&Ok(99)), "{items:?}");
    });
}
