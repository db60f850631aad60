//! One participant that does whatever a string of bytes says: every operation of the API, none of which may wait for long.
#![allow(dead_code)]

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::Duration;

use slipring::{Consumer, Message, Observer, Producer, Queue, RecvError, Start};

use super::patch::{Bytes, patch};
use super::places::{END, MODE, Memory, Places};
use super::watch::{Clock, Tally};

/// A message and the consumer that it borrows from.
struct Held {
    message: Message<'static>,
    _consumer: Rc<Consumer>,
}

/// What a participant has open.
pub struct Actor<'a> {
    queue: Queue,
    producers: Vec<Producer>,
    /// Before the consumers, so that it goes before them.
    held: Vec<Held>,
    consumers: Vec<Rc<Consumer>>,
    observers: Vec<Observer>,
    memory: &'a Memory,
    places: &'a Places,
    clock: &'a Clock,
    tally: &'a mut Tally,
    /// Patches that `patch` operations made, by part.
    pub patches: u64,
    /// May it spoil the memory, or only suffer?
    spoils: bool,
}

const SHORT: Duration = Duration::from_micros(300);
const GROUPS: [&str; 3] = ["default", "g", "h"];

impl<'a> Actor<'a> {
    pub fn new(
        queue: Queue,
        (memory, places): (&'a Memory, &'a Places),
        clock: &'a Clock,
        tally: &'a mut Tally,
        spoils: bool,
    ) -> Self {
        let (producers, held, consumers) = (Vec::new(), Vec::new(), Vec::new());
        let observers = Vec::new();
        let patches = 0;
        Self {
            queue,
            producers,
            held,
            consumers,
            observers,
            memory,
            places,
            clock,
            tally,
            patches,
            spoils,
        }
    }

    fn count<T, E: std::fmt::Debug>(&mut self, call: &str, result: Result<T, E>) -> Option<T> {
        let (key, value) = match result {
            Ok(value) => (format!("{call}: Ok"), Some(value)),
            Err(error) => {
                // The variant's name is enough.
                let mut text = format!("{error:?}");
                text.truncate(text.find([' ', '(', '{']).unwrap_or(text.len()));
                (format!("{call}: {text}"), None)
            }
        };
        *self.tally.entry(key).or_default() += 1;
        value
    }

    /// Does the next thing that the bytes say.
    pub fn step(&mut self, bytes: &mut Bytes) {
        let code = bytes.u8() % 40;
        let which = usize::from(bytes.u8());
        match code {
            0..=3 if self.spoils => {
                patch(bytes, self.memory, self.places);
                self.patches += 1;
            }
            0..=1 => self.join_producer(),
            2..=3 | 6 => self.join_consumer(bytes),
            4 | 5 => self.join_producer(),
            7 if !self.producers.is_empty() => {
                let left = self.producers.swap_remove(which % self.producers.len());
                self.clock.time(code, || drop(left));
            }
            8 => self.drop_consumer(which),
            9..=15 => self.send(bytes, code, which),
            16 | 17 => self.reserve(bytes, code, which),
            18..=25 => self.receive(code, which),
            26..=31 => self.settle(bytes, code),
            32 => self.observe(code, which),
            33 => self.watch(bytes, code, which),
            34 => drop(self.clock.time(code, || self.queue.stats())),
            35 => {
                let result = self.clock.time(code, || self.queue.recover());
                self.count("recover", result);
            }
            36 => {
                if let Some(rx) = pick(&self.consumers, which) {
                    self.clock.time(code, || rx.lag());
                }
            }
            37 => {
                let name = GROUPS[which % 3];
                let result = self.clock.time(code, || self.queue.drop_group(name));
                self.count("drop_group", result);
            }
            38 => self.rarely(bytes, code, which),
            _ => {
                // The messages of one's own consumers are an honest reader's too.
                let sum: usize = self.held.iter().map(|held| look_at(&held.message)).sum();
                std::hint::black_box(sum);
            }
        }
    }

    fn join_producer(&mut self) {
        if self.producers.len() < 3 {
            let joined = self.clock.time(4, || self.queue.producer());
            let joined = self.count("producer", joined);
            self.producers.extend(joined);
        }
    }

    fn join_consumer(&mut self, bytes: &mut Bytes) {
        if self.consumers.len() >= 4 {
            return;
        }
        let options = self.queue.consumer_options();
        let code = bytes.u8();
        let options = match code % 8 {
            0..=4 => options.group(GROUPS[usize::from(code / 8) % 3]),
            5 => options.lossy(true),
            _ => options,
        };
        let options = match bytes.u8() % 8 {
            0 => options.start(Start::Latest),
            1 => options.start(Start::Position(bytes.u64())),
            2 => options.start(Start::Position(u64::from(bytes.u8()))),
            3 => options.prefetch(3),
            4 => options.filter("e*"),
            5 if code % 8 <= 4 => options.max_deliveries(2),
            6 if code % 8 <= 4 => options.max_deliveries(2).dead_letter("dead"),
            _ => options,
        };
        let joined = self.clock.time(6, || options.open());
        let joined = self.count("consumer", joined);
        self.consumers.extend(joined.map(Rc::new));
    }

    fn drop_consumer(&mut self, which: usize) {
        if self.consumers.is_empty() {
            return;
        }
        let left = self.consumers.swap_remove(which % self.consumers.len());
        // Its messages hold it: they go first.
        let (mine, others): (Vec<_>, Vec<_>) =
            self.held.drain(..).partition(|held| Rc::ptr_eq(&held._consumer, &left));
        self.held = others;
        for held in mine {
            self.clock.time(8, || drop(held));
        }
        self.clock.time(8, || drop(left));
    }

    fn send(&mut self, bytes: &mut Bytes, code: u8, which: usize) {
        let max = self.queue.max_message();
        let len = match bytes.u8() % 8 {
            0 => max + bytes.below(3) - 1,
            1 | 2 => bytes.below(max),
            _ => bytes.below(130),
        };
        let payload = vec![bytes.u8(); len];
        let count = self.producers.len();
        let Some(tx) = self.producers.get_mut(which % count.max(1)) else { return };
        let result = match code {
            9..=12 => self.clock.time(code, || tx.try_send(&payload)),
            13 => self.clock.time(code, || tx.send_timeout(&payload, SHORT)),
            14 => self.clock.time(code, || tx.try_send_event("event", &payload)),
            _ => self.clock.time(code, || tx.send_event_timeout("e", &payload, SHORT)),
        };
        self.count("send", result);
    }

    fn reserve(&mut self, bytes: &mut Bytes, code: u8, which: usize) {
        let len = bytes.below(self.queue.max_message() + 1);
        let (how, fill) = (bytes.u8(), bytes.u8());
        let patches = usize::from(self.spoils && how >= 128);
        let count = self.producers.len();
        let Some(tx) = self.producers.get_mut(which % count.max(1)) else { return };
        let result = self.clock.time(code, || tx.reserve_timeout(len, SHORT));
        let result = result.map(|mut slot| {
            slot.fill(fill);
            for _ in 0..patches {
                patch(bytes, self.memory, self.places);
            }
            let commit = slot.len() * usize::from(how % 4) / 3;
            self.clock.time(code, || {
                if how % 4 == 3 {
                    slot.abort();
                } else {
                    slot.commit(commit);
                }
            });
        });
        self.patches += patches as u64;
        self.count("reserve", result);
    }

    fn receive(&mut self, code: u8, which: usize) {
        let Some(rx) = pick(&self.consumers, which).cloned() else { return };
        if self.held.len() >= 8 {
            self.held.remove(0);
        }
        let result = self
            .clock
            .time(code, || if code < 24 { rx.try_recv() } else { rx.recv_timeout(SHORT) });
        if let Some(message) = self.count("recv", result) {
            look_at(&message);
            // SAFETY: the consumer that it borrows from lives in the same `Held`, and goes after it (fields drop in order).
            let message: Message<'static> = unsafe { std::mem::transmute(message) };
            self.held.push(Held { message, _consumer: Rc::clone(&rx) });
        }
    }

    fn settle(&mut self, bytes: &mut Bytes, code: u8) {
        if self.held.is_empty() {
            return;
        }
        let Held { message, _consumer } = self.held.remove(bytes.below(self.held.len()));
        let how = bytes.u8() % 8;
        let result = self.clock.time(code, || match how {
            0..=3 => message.ack(),
            4 => message.retry(),
            5 => message.reject("bad"),
            _ => {
                drop(message);
                Ok(())
            }
        });
        self.count("settle", result);
    }

    fn observe(&mut self, code: u8, which: usize) {
        if self.observers.len() < 2 {
            let result = self.clock.time(code, || self.queue.observe());
            let observer = self.count("observe", result);
            self.observers.extend(observer);
        } else {
            self.observers.remove(which % 2);
        }
    }

    fn watch(&mut self, bytes: &mut Bytes, code: u8, which: usize) {
        let count = self.observers.len();
        let Some(observer) = self.observers.get_mut(which % count.max(1)) else { return };
        let result = self.clock.time(code, || match bytes.u8() % 8 {
            0 => observer.seek(Start::Position(bytes.u64())).map(drop),
            1 => observer.seek(Start::Latest).map(drop),
            2 => observer.seek(Start::Earliest).map(drop),
            3 => observer.recv_timeout(SHORT).map(drop),
            4 => {
                std::hint::black_box(observer.stats());
                Ok(())
            }
            5 => observer.rewind(bytes.u8().into()),
            _ => observer.try_recv().map(drop),
        });
        self.count("observer", result);
    }

    /// What changes everything, and what would wait for ever if nobody came: somebody comes.
    fn rarely(&mut self, bytes: &mut Bytes, code: u8, which: usize) {
        match bytes.u8() % 16 {
            0 => {
                let result = self.clock.time(code, || self.queue.close());
                self.count("close", result);
            }
            1 => self.queue.prefault(),
            2 => {
                let count = self.producers.len();
                let Some(tx) = self.producers.get_mut(which % count.max(1)) else { return };
                let batch: Vec<Vec<u8>> = (0..bytes.below(9)).map(|n| vec![1; n * 40]).collect();
                let (memory, clock) = (self.memory, self.clock);
                let result = rescued(memory, || clock.time(code, || tx.send_batch(&batch)));
                self.count("send_batch", result);
            }
            3 => {
                let Some(rx) = pick(&self.consumers, which).cloned() else { return };
                let (memory, clock) = (self.memory, self.clock);
                let mut copy = Vec::new();
                let result = rescued(memory, || clock.time(code, || rx.recv_into(&mut copy)));
                self.count("recv_into", result);
            }
            4 => {
                let Some(rx) = pick(&self.consumers, which).cloned() else { return };
                let (memory, clock) = (self.memory, self.clock);
                let result = rescued(memory, || clock.time(code, || rx.recv_batch(3)));
                let result: Result<(), RecvError> = result.map(|all| {
                    for message in all {
                        let _ = clock.time(code, || message.ack());
                    }
                });
                self.count("recv_batch", result);
            }
            5 => {
                let Some(rx) = pick(&self.consumers, which).cloned() else { return };
                let (memory, clock) = (self.memory, self.clock);
                let mut sum = 0;
                let read = |message: &Message<'_>| {
                    sum += message.payload().iter().map(|byte| u64::from(*byte)).sum::<u64>();
                };
                let result = rescued(memory, || clock.time(code, || rx.recv_each(3, read)));
                std::hint::black_box(sum);
                self.count("recv_each", result);
            }
            6 if !self.queue.name().starts_with("memfd") => {
                let Some(rx) = pick(&self.consumers, which).cloned() else { return };
                let result = self.clock.time(code, || rx.pollable().map(drop));
                self.count("pollable", result);
            }
            _ => {
                let result = self.clock.time(code, || {
                    if self.queue.name().starts_with("memfd") {
                        use std::os::fd::AsFd;
                        Queue::from_fd(self.queue.as_fd().try_clone_to_owned().unwrap())
                    } else {
                        Queue::open(self.queue.name())
                    }
                });
                // Another file can have got the name: `memory` is of the one that was there at first.
                if let Some(queue) = self.count("open", result).filter(|_| self.spoils) {
                    self.queue = queue;
                }
            }
        }
    }
}

impl Drop for Actor<'_> {
    /// Leaving is a call too.
    fn drop(&mut self) {
        self.clock.time(50, || self.held.clear());
        self.clock.time(51, || self.consumers.clear());
        self.clock.time(52, || self.producers.clear());
    }
}

fn pick<T>(all: &[T], which: usize) -> Option<&T> {
    all.get(which % all.len().max(1))
}

/// All that a message says, read.
fn look_at(message: &Message) -> usize {
    let bytes: usize = message.payload().iter().map(|byte| usize::from(*byte)).sum();
    let event = message.event().map_or(0, str::len);
    let letter = message.dead_letter().map_or(0, |letter| letter.reason.len());
    bytes + event + letter + message.deliveries() as usize + message.position() as usize % 7
}

/// A call that may wait for ever: after a while the queue is closed under it, by force.
fn rescued<T>(memory: &Memory, call: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel::<()>();
        scope.spawn(move || {
            while finished.recv_timeout(Duration::from_millis(5))
                == Err(mpsc::RecvTimeoutError::Timeout)
            {
                memory.word(END).store(0, Relaxed);
                memory.word(MODE).store(1 << 8 | 3, Relaxed);
            }
        });
        let result = call();
        drop(done);
        result
    })
}
