//! What all clients have got, and what of it is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::clients::Client;

/// The books.
#[derive(Default)]
pub struct Books {
    pub address: Address,
    tallies: Mutex<Vec<Arc<Tally>>>,
}

/// Where the gateway is to be found now.
#[derive(Default)]
pub struct Address {
    now: Mutex<(Option<SocketAddr>, bool)>,
    changed: Condvar,
}

/// What the clients of a kind have got.
pub struct Tally {
    name: &'static str,
    received: AtomicU64,
    /// By client of those that read along: the number that comes next.
    readers: Mutex<Vec<Arc<AtomicU64>>>,
    /// By message of a group.
    letters: Mutex<BTreeMap<u64, Letter>>,
    faults: Mutex<Vec<String>>,
}

/// A message of a group.
#[derive(Default)]
struct Letter {
    /// The deliveries that have been told.
    deliveries: BTreeSet<u64>,
    /// The one whose ack was answered.
    acked: Option<u64>,
}

/// Messages received, by kind.
pub struct Received(Vec<u64>);

/// What happened in all, for people.
#[derive(Debug, Default)]
pub struct Totals {
    pub received: Vec<(&'static str, u64)>,
    pub acked: usize,
    pub redelivered: usize,
}

impl Books {
    /// Those of a kind.
    pub fn tally(&self, name: &'static str) -> Arc<Tally> {
        let tally = Arc::new(Tally {
            name,
            received: AtomicU64::new(0),
            readers: Mutex::default(),
            letters: Mutex::default(),
            faults: Mutex::default(),
        });
        self.tallies.lock().unwrap().push(Arc::clone(&tally));
        tally
    }

    /// A client comes back for as long as there is a gateway.
    pub fn take_part(&self, mut client: Box<dyn Client>) {
        while let Some(address) = self.address.wait() {
            // It ends when the gateway does; what was wrong stands in the books.
            let _ = client.session(address);
            // Refused, perhaps: not to come in again at once and for ever.
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn received(&self) -> Received {
        let tallies = self.tallies.lock().unwrap();
        Received(tallies.iter().map(|tally| tally.received.load(Ordering::Relaxed)).collect())
    }

    /// Has everybody who reads along read so many?
    pub fn all_have_read(&self, count: u64, clients: usize) -> bool {
        self.tallies.lock().unwrap().iter().all(|tally| {
            let readers = tally.readers.lock().unwrap();
            assert!(readers.is_empty() || readers.len() == clients);
            readers.iter().all(|next| next.load(Ordering::Relaxed) == count)
        })
    }

    pub fn check(&self) {
        for tally in self.tallies.lock().unwrap().iter() {
            let faults = tally.faults.lock().unwrap();
            assert!(faults.is_empty(), "{}: {} faults: {:?}", tally.name, faults.len(), faults);
        }
    }

    /// Closes the books over so many messages.
    pub fn totals(&self, sent: u64) -> Totals {
        let mut totals = Totals::default();
        for tally in self.tallies.lock().unwrap().iter() {
            totals.received.push((tally.name, tally.received.load(Ordering::Relaxed)));
            let letters = tally.letters.lock().unwrap();
            if tally.readers.lock().unwrap().is_empty() {
                assert!(letters.keys().copied().eq(0..sent), "{}: not all came", tally.name);
            }
            totals.acked += letters.values().filter(|letter| letter.acked.is_some()).count();
            totals.redelivered +=
                letters.values().filter(|letter| letter.deliveries.len() > 1).count();
        }
        totals
    }
}

impl Received {
    pub fn all_above(&self, before: &Self) -> bool {
        self.0.iter().zip(&before.0).all(|(now, before)| now > before)
    }
}

impl Address {
    pub fn set(&self, address: Option<SocketAddr>) {
        self.now.lock().unwrap().0 = address;
        self.changed.notify_all();
    }

    /// There will be none any more.
    pub fn end(&self) {
        *self.now.lock().unwrap() = (None, true);
        self.changed.notify_all();
    }

    fn wait(&self) -> Option<SocketAddr> {
        let now = self.now.lock().unwrap();
        self.changed.wait_while(now, |(address, over)| address.is_none() && !*over).unwrap().0
    }
}

impl Tally {
    fn fault(&self, text: String) {
        let mut faults = self.faults.lock().unwrap();
        if faults.len() < 10 {
            faults.push(text);
        }
    }

    /// Somebody who reads along; the number that he expects next.
    pub fn reader(&self) -> Arc<AtomicU64> {
        let next = Arc::new(AtomicU64::new(0));
        self.readers.lock().unwrap().push(Arc::clone(&next));
        next
    }

    /// A reader got something.
    pub fn read(&self, next: &AtomicU64, payload: &str) {
        self.received.fetch_add(1, Ordering::Relaxed);
        let expected = next.load(Ordering::Relaxed);
        if payload.parse() != Ok(expected) {
            self.fault(format!("{payload:?} in place of {expected}"));
        }
        next.store(expected + 1, Ordering::Relaxed);
    }

    /// A reader was told something else than a message.
    pub fn told(&self, what: &str) {
        self.fault(format!("was told {what}"));
    }

    /// A member of a group got a message.
    pub fn delivered(&self, number: u64, delivery: u64) {
        self.received.fetch_add(1, Ordering::Relaxed);
        let mut letters = self.letters.lock().unwrap();
        let letter = letters.entry(number).or_default();
        if !letter.deliveries.insert(delivery) {
            self.fault(format!("{number}: two deliveries are number {delivery}"));
        }
        self.check_letter(number, letter);
    }

    /// The ack of a delivery was answered.
    pub fn acked(&self, number: u64, delivery: u64) {
        let mut letters = self.letters.lock().unwrap();
        let letter = letters.entry(number).or_default();
        if let Some(before) = letter.acked.replace(delivery) {
            self.fault(format!("{number}: acked twice, deliveries {before} and {delivery}"));
        }
        self.check_letter(number, letter);
    }

    /// Earlier deliveries may be read later than the last one is acked, out of sockets of a gateway that is dead; later ones must not be.
    fn check_letter(&self, number: u64, letter: &Letter) {
        let last = letter.deliveries.last();
        if let Some(acked) = letter.acked
            && last.is_some_and(|last| *last > acked)
        {
            self.fault(format!("{number}: acked as delivery {acked}, and came again as {last:?}"));
        }
    }
}
