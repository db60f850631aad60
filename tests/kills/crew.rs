//! The processes of the kill test, and what is done to them.

use super::account::{self, Sums};
use super::board::{Board, SLOTS};
use super::child::{Child, Cpu, Random};
use super::common::{TempDir, queue};
use super::progress::Progress;
use slipring::Queue;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Who is who.
const ROLES: [&str; SLOTS] = [
    "producer",
    "producer",
    "producer",
    "worker",
    "worker",
    "worker",
    "fan",
    "anonymous",
    "visitor",
];
const WORKERS: std::ops::Range<usize> = 3..6;
const FAN: usize = 6;
/// A survivor without progress for so long is held up for ever.
pub const WEDGED: Duration = Duration::from_secs(2);
/// What a process needs to start on a busy machine.
const START: Duration = Duration::from_secs(20);
/// A small ring: it wraps and fills all the time.
const CAPACITY: u64 = 1 << 13;

pub struct Crew {
    pub queue: Queue,
    pub board: Board,
    /// Kills by role.
    pub killed: BTreeMap<&'static str, u64>,
    members: Vec<Child>,
    incarnations: [u64; SLOTS],
    next: u64,
    deaths: HashMap<u64, u64>,
    pauses: u64,
    /// Everything below was done at the last checkpoint.
    begin: u64,
    random: Random,
    board_path: String,
    _dir: TempDir,
}

impl Crew {
    pub fn new(random: Random) -> Self {
        let dir = TempDir::new();
        let queue = queue(&dir, "q", CAPACITY);
        // Made before anybody sends; the default one would fill up.
        drop(queue.consumer("work").unwrap());
        drop(queue.consumer("fan").unwrap());
        queue.drop_group("default").unwrap();
        let board_path = dir.path("board");
        let board = Board::open(&board_path);
        let mut crew = Self {
            queue,
            board,
            killed: BTreeMap::new(),
            members: Vec::new(),
            incarnations: [0; SLOTS],
            next: 1,
            deaths: HashMap::new(),
            pauses: 0,
            begin: 0,
            random,
            board_path,
            _dir: dir,
        };
        for slot in 0..SLOTS {
            let child = crew.start(slot);
            crew.members.push(child);
        }
        crew
    }

    fn start(&mut self, slot: usize) -> Child {
        let incarnation = self.next;
        self.next += 1;
        self.incarnations[slot] = incarnation;
        let (slot_text, incarnation) = (slot.to_string(), incarnation.to_string());
        let arguments = [self.queue.name(), &self.board_path, &slot_text, &incarnation];
        Child::start(ROLES[slot], &arguments)
    }

    pub fn kills(&self) -> u64 {
        self.killed.values().sum()
    }

    fn is_ready(&self, slot: usize) -> bool {
        self.board.ready(slot) == self.incarnations[slot]
    }

    pub fn wait_until_ready(&mut self) {
        let end = Instant::now() + START;
        while !(0..SLOTS).all(|slot| self.is_ready(slot)) {
            assert!(Instant::now() < end, "not ready: {}", self.state());
            self.check_alive();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whoever ends by itself has found something wrong, and said so.
    fn check_alive(&mut self) {
        let ended = self.members.iter_mut().map(Child::ended);
        let ended = ended.zip(ROLES).find_map(|(status, role)| Some((role, status?)));
        if let Some((role, status)) = ended {
            panic!("a {role} ended by itself: {status}; {}", self.state());
        }
    }

    fn state(&self) -> String {
        let progress: Vec<_> = (0..SLOTS)
            .map(|slot| {
                (ROLES[slot], self.is_ready(slot), self.board.progress(slot), self.board.idle(slot))
            })
            .collect();
        format!("{progress:?}\n{:#?}", self.queue.stats())
    }

    /// One kill, or two at once; then the survivors' next progress; then replacements.
    pub fn round(&mut self, times: &mut Progress) {
        let delay = self.random.below(3000);
        std::thread::sleep(Duration::from_micros(delay));
        self.check_alive();
        let victims = self.choose_victims();
        for slot in &victims {
            self.deaths.insert(self.incarnations[*slot], self.board.now());
            *self.killed.entry(ROLES[*slot]).or_default() += 1;
            self.members[*slot].kill();
        }
        let mut start = Instant::now();
        let blocking = self.blocks_all(&victims);
        if blocking {
            // A durable group without members fills the ring: nobody has work until one is back.
            self.replace(&victims);
            self.wait_until_ready();
            start = Instant::now();
        }
        self.watch(&victims, start, times);
        if !blocking {
            self.replace(&victims);
            if self.random.below(10) < 7 {
                self.wait_until_ready();
            }
        }
    }

    fn choose_victims(&mut self) -> Vec<usize> {
        let one = self.random.below(SLOTS as u64) as usize;
        if !self.random.one_in(6) {
            return vec![one];
        }
        let other = self.random.below(SLOTS as u64 - 1) as usize;
        vec![one, (one + 1 + other) % SLOTS]
    }

    fn blocks_all(&self, victims: &[usize]) -> bool {
        let works = |slot: usize| !victims.contains(&slot) && self.is_ready(slot);
        !works(FAN) || !WORKERS.clone().any(works)
    }

    fn replace(&mut self, victims: &[usize]) {
        for slot in victims {
            // The dead one is reaped before its place is given away.
            let killed = self.members[*slot].kill_and_reap();
            assert!(killed, "a {} ended by itself; {}", ROLES[*slot], self.state());
            self.members[*slot] = self.start(*slot);
        }
    }

    /// Measures how long each survivor takes to get on. Workers share their work, so any of them will do.
    fn watch(&mut self, victims: &[usize], start: Instant, times: &mut Progress) {
        let survivors: Vec<usize> =
            (0..SLOTS).filter(|slot| !victims.contains(slot) && self.is_ready(*slot)).collect();
        let (workers, others): (Vec<usize>, Vec<usize>) =
            survivors.iter().partition(|slot| WORKERS.contains(slot));
        let mut units: Vec<Vec<usize>> = others.into_iter().map(|slot| vec![slot]).collect();
        units.extend((!workers.is_empty()).then_some(workers));
        let before: Vec<u64> = (0..SLOTS).map(|slot| self.board.progress(slot)).collect();
        let starved = self.starved();
        while !units.is_empty() {
            units.retain(|unit| {
                let moved = unit.iter().any(|slot| self.board.progress(*slot) != before[*slot]);
                if moved {
                    times.add(start.elapsed(), || self.longest_starved(&starved));
                }
                !moved
            });
            if start.elapsed() > WEDGED && !units.is_empty() {
                self.check_alive_but(victims);
                panic!("wedged: {units:?} after {victims:?} were killed; {}", self.state());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// For how long each process, and we, wanted a processor and had none.
    fn starved(&self) -> Vec<Duration> {
        let own = Cpu::of(std::process::id() as i32).waited;
        self.members.iter().map(|member| member.cpu().waited).chain([own]).collect()
    }

    fn longest_starved(&self, before: &[Duration]) -> Duration {
        let now = self.starved();
        now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).max().unwrap()
    }

    fn check_alive_but(&mut self, victims: &[usize]) {
        for slot in (0..SLOTS).filter(|slot| !victims.contains(slot)) {
            if let Some(status) = self.members[slot].ended() {
                panic!("a {} ended by itself: {status}", ROLES[slot]);
            }
        }
    }

    /// Lets everybody come to rest, compares the books, and goes on.
    pub fn checkpoint(&mut self, sums: &mut Sums) {
        self.wait_until_ready();
        // Twice: what somebody gave back while he came to rest is done by the second time.
        self.rest();
        self.rest();
        let ahead = self.board.prefetch().load(SeqCst) != 0;
        account::check(&self.board, &self.deaths, (self.begin, ahead), sums);
        self.queue.recover().unwrap();
        let stats = self.queue.stats();
        self.begin = stats.latest;
        assert!(stats.members.len() <= SLOTS, "rows of the dead are left: {stats:#?}");
        self.board.clear();
        // Every other time some workers claim ahead. By the end of another rest all know.
        self.board.prefetch().store(u64::from(!ahead), SeqCst);
        self.rest();
        self.board.pause().store(0, SeqCst);
    }

    fn rest(&mut self) {
        self.pauses += 1;
        self.board.pause().store(self.pauses, SeqCst);
        let end = Instant::now() + START;
        loop {
            let stats = self.queue.stats();
            let done = stats.groups.iter().all(|group| group.lag == 0);
            if done && (0..SLOTS).all(|slot| self.board.idle(slot) == self.pauses) {
                return;
            }
            assert!(Instant::now() < end, "no rest: {}", self.state());
            self.check_alive();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops one to three processes for a while; the others must not take them for dead.
    pub fn pause_some(&mut self) {
        self.check_alive();
        let count = 1 + self.random.below(3);
        let stopped: Vec<usize> =
            (0..count).map(|_| self.random.below(SLOTS as u64) as usize).collect();
        for slot in &stopped {
            self.members[*slot].stop();
        }
        let time = if self.random.one_in(10) { 60_000 } else { 3000 };
        // In a thread: whom we stopped may hold the registry.
        let queue = self.queue.clone();
        let repair = std::thread::spawn(move || queue.recover().unwrap());
        std::thread::sleep(Duration::from_micros(self.random.below(time)));
        for slot in &stopped {
            self.members[*slot].go_on();
        }
        assert_eq!(repair.join().unwrap(), slipring::Recovered::default());
        let rest = self.random.below(2000);
        std::thread::sleep(Duration::from_micros(rest));
    }

    /// Everybody is killed at once; the queue goes on.
    pub fn farewell(mut self) {
        self.members.iter().for_each(Child::kill);
        self.members.clear();
        self.queue.recover().unwrap();
        assert_eq!(self.queue.stats().members.len(), 0);
        let readers = ["work", "fan"].map(|name| self.queue.consumer(name).unwrap());
        for rx in &readers {
            while let Ok(message) = rx.try_recv() {
                message.ack().unwrap();
            }
        }
        let mut tx = self.queue.producer().unwrap();
        let position = tx.try_send(b"still there").unwrap();
        for rx in &readers {
            assert_eq!(rx.try_recv().unwrap().position(), position);
        }
    }
}
