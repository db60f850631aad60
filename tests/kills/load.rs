//! What the processes of the kill test do all day.

use super::board::{Board, Kind, NOWHERE, Place};
use super::child::Random;
use super::payload;
use slipring::{Consumer, Message, Queue, RecvError};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Numbers of the groups in the logs. Anonymous ones have their incarnation's, from here on.
pub const WORK: u64 = 1;
pub const FAN: u64 = 2;
pub const ANONYMOUS: u64 = 3;

/// Plays `role` until killed.
pub fn play(role: &str, arguments: &[String]) {
    let [queue, board, slot, incarnation] = arguments else { panic!("{arguments:?}") };
    let place = Place {
        board: Board::open(board),
        slot: slot.parse().unwrap(),
        incarnation: incarnation.parse().unwrap(),
    };
    let queue = Queue::open(queue).unwrap();
    let mut random = Random(place.incarnation << 20);
    loop {
        match role {
            "producer" => Sender { place, random: &mut random }.shift(&queue),
            "worker" => shift(&queue, &place, &mut random, Some("work")),
            "fan" => shift(&queue, &place, &mut random, Some("fan")),
            "anonymous" => shift(&queue, &place, &mut random, None),
            "visitor" => visit(&queue, &place, &mut random),
            _ => panic!("no such role: {role}"),
        }
    }
}

fn nap(random: &mut Random, most_us: u64) {
    std::thread::sleep(Duration::from_micros(random.below(most_us)));
}

struct Sender<'r> {
    place: Place,
    random: &'r mut Random,
}

impl Sender<'_> {
    /// Joins, sends for a while, and leaves: so that there are none, one or many at a time.
    fn shift(&mut self, queue: &Queue) {
        let board = self.place.board;
        let mut tx = queue.producer().unwrap();
        for _ in 0..1 + self.random.below(300) {
            let pause = board.pause().load(SeqCst);
            if pause != 0 {
                self.place.rest(pause);
                std::thread::sleep(Duration::from_micros(300));
                continue;
            }
            // The logs must last until the next look at the books, which can be long on a busy machine.
            if board.fullness() > 40 {
                std::thread::sleep(Duration::from_millis(2));
            }
            if board.fullness() < 95 {
                self.send_some(&mut tx);
            }
            self.place.progress();
        }
        drop(tx);
        nap(self.random, 800);
    }

    fn next_message(&mut self) -> payload::Spec {
        let usual = self.random.below(300);
        let len = if self.random.one_in(60) { self.random.below(3500) } else { usual };
        payload::Spec { sender: self.place.incarnation, seq: self.next_seq(), len: len as usize }
    }

    /// From one, in each incarnation.
    fn next_seq(&mut self) -> u64 {
        thread_local!(static SEQ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        SEQ.with(|seq| {
            seq.set(seq.get() + 1);
            seq.get()
        })
    }

    fn log(&self, kind: Kind, spec: &payload::Spec, position: u64) {
        self.place.log(kind, 0, 0, (spec.sender, spec.seq), position);
    }

    fn send_some(&mut self, tx: &mut slipring::Producer) {
        match self.random.below(8) {
            0 => self.send_batch(tx),
            1 | 2 => self.send_reserved(tx),
            _ => {
                let spec = self.next_message();
                self.log(Kind::Try, &spec, 0);
                let bytes = spec.bytes();
                let position = match spec.event() {
                    Some(event) => tx.send_event(&event, &bytes).unwrap(),
                    None => tx.send(&bytes).unwrap(),
                };
                self.log(Kind::Sent, &spec, position);
            }
        }
    }

    fn send_batch(&mut self, tx: &mut slipring::Producer) {
        let count = 1 + self.random.below(7) as usize;
        let specs: Vec<payload::Spec> = (0..count)
            .map(|_| {
                let seq = self.next_seq();
                let len = self.random.below(200) as usize;
                // A batch has no event names.
                payload::Spec { sender: self.place.incarnation, seq, len }
            })
            .collect();
        for (i, spec) in specs.iter().enumerate() {
            self.log(Kind::Try, spec, (count - i) as u64);
        }
        let sent = tx.send_batch(specs.iter().map(payload::Spec::plain_bytes)).unwrap();
        assert_eq!(sent, count);
        for spec in &specs {
            self.log(Kind::Sent, spec, NOWHERE);
        }
    }

    fn send_reserved(&mut self, tx: &mut slipring::Producer) {
        let spec = self.next_message();
        self.log(Kind::Try, &spec, 0);
        let bytes = spec.bytes();
        let spare = self.random.below(300) as usize;
        let room = (bytes.len() + spare).min(tx.max_message() - 32);
        let slot = match spec.event() {
            Some(event) => tx.reserve_event(&event, room),
            None => tx.reserve(room),
        };
        let mut slot = slot.unwrap();
        slot[..bytes.len()].copy_from_slice(&bytes);
        if self.random.one_in(6) {
            drop(slot);
            self.log(Kind::Aborted, &spec, 0);
        } else {
            let position = slot.commit(bytes.len());
            self.log(Kind::Sent, &spec, position);
        }
    }
}

/// A reader for a while: a member of a group, or an anonymous one.
fn shift(queue: &Queue, place: &Place, random: &mut Random, group: Option<&str>) {
    let board = place.board;
    let may_claim_ahead = board.prefetch().load(SeqCst);
    let ahead = group == Some("work") && may_claim_ahead != 0 && random.one_in(2);
    let options = queue.consumer_options().prefetch(if ahead { 4 } else { 1 });
    let rx = match group {
        Some(name) => options.group(name),
        None => options,
    };
    let rx = rx.open().unwrap();
    let hand = Hand { place, group: number(group, &place.board) };
    for _ in 0..1 + random.below(2000) {
        let pause = board.pause().load(SeqCst);
        if board.prefetch().load(SeqCst) != may_claim_ahead {
            break;
        }
        let held = 1 + random.below(5) as usize;
        match rx.recv_timeout(Duration::from_millis(5)) {
            Ok(message) => hand.work(&rx, message, held, random),
            // A pause that began before we looked: everything sent before it is done.
            Err(RecvError::Timeout) if pause != 0 => place.rest(pause),
            Err(RecvError::Timeout) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Each opening of an anonymous reader is a group of its own.
fn number(group: Option<&str>, board: &Board) -> u64 {
    match group {
        Some("work") => WORK,
        Some(_) => FAN,
        None => ANONYMOUS + board.openings().fetch_add(1, SeqCst) % 60000,
    }
}

struct Hand<'p> {
    place: &'p Place,
    group: u64,
}

impl Hand<'_> {
    fn log(&self, kind: Kind, message: &Message) -> (u64, u64) {
        let from = payload::read(message.payload(), message.event())
            .unwrap_or_else(|| panic!("corrupted: {message:?}: {:?}", message.payload()));
        let deliveries = u64::from(message.deliveries());
        self.place.log(kind, self.group, deliveries, from, message.position());
        from
    }

    fn ack(&self, message: Message) {
        let (deliveries, position) = (u64::from(message.deliveries()), message.position());
        let from = self.log(Kind::Acking, &message);
        message.ack().unwrap();
        self.place.log(Kind::Acked, self.group, deliveries, from, position);
        self.place.progress();
    }

    fn give_back(&self, message: Message, random: &mut Random) {
        self.log(Kind::GivingBack, &message);
        if random.one_in(2) {
            message.retry().unwrap();
        }
    }

    /// Holds up to `most` messages and settles them in some order.
    fn work(&self, rx: &Consumer, first: Message, most: usize, random: &mut Random) {
        self.log(Kind::Got, &first);
        let mut held = vec![first];
        while held.len() < most {
            let Ok(message) = rx.try_recv() else { break };
            self.log(Kind::Got, &message);
            held.push(message);
        }
        while !held.is_empty() {
            let in_order = random.below(4) != 0;
            let at = if in_order { 0 } else { random.below(held.len() as u64) as usize };
            let message = held.remove(at);
            if random.one_in(100) {
                self.give_back(message, random);
            } else {
                self.ack(message);
            }
        }
    }
}

/// Comes and goes, looks on and repairs.
fn visit(queue: &Queue, place: &Place, random: &mut Random) {
    let pause = place.board.pause().load(SeqCst);
    if pause != 0 {
        place.rest(pause);
        std::thread::sleep(Duration::from_millis(1));
        return;
    }
    match random.below(8) {
        0 | 1 => drop(queue.recover().unwrap()),
        2 => drop(queue.producer().unwrap()),
        3 => drop(queue.producer().unwrap().reserve(random.below(500) as usize).unwrap()),
        4 => look_in(queue, place, random, Some("work")),
        5 => look_in(queue, place, random, Some("fan")),
        6 => look_in(queue, place, random, None),
        _ => look_on(queue, random),
    }
    place.progress();
    nap(random, 600);
}

/// A member for an instant, which gives back what it gets.
fn look_in(queue: &Queue, place: &Place, random: &mut Random, group: Option<&str>) {
    let options = queue.consumer_options();
    let rx = match group {
        Some(name) => options.group(name),
        None => options,
    };
    let rx = rx.open().unwrap();
    let hand = Hand { place, group: number(group, &place.board) };
    for _ in 0..random.below(4) {
        let Ok(message) = rx.try_recv() else { continue };
        hand.log(Kind::Got, &message);
        if group.is_none() {
            hand.ack(message);
        } else {
            hand.give_back(message, random);
        }
    }
}

/// Copies of a lossy reader and of an observer are whole, whatever happens to the ring meanwhile.
fn look_on(queue: &Queue, random: &mut Random) {
    let lossy = queue.consumer_options().lossy(true).open().unwrap();
    let mut observer = queue.observe().unwrap();
    for _ in 0..random.below(40) {
        if let Ok(message) = lossy.try_recv() {
            assert!(payload::read(message.payload(), message.event()).is_some(), "{message:?}");
        }
        if let Ok(seen) = observer.try_recv() {
            let read = payload::read(&seen.payload, seen.event.as_deref());
            assert!(read.is_some(), "{seen:?}");
        }
    }
}
