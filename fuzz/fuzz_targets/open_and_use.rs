//! "Open this file and use it": the input says how a queue is made, which bytes of its file are spoiled before it is opened and while
//! it is used, and what is done with it. Whatever it says: no signal, no panic, no call that does not return.
#![no_main]

#[path = "../../tests/hostile/drive.rs"]
mod drive;
#[path = "../../tests/hostile/patch.rs"]
mod patch;
#[path = "../../tests/hostile/places.rs"]
mod places;
#[path = "../../tests/hostile/watch.rs"]
mod watch;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use drive::Actor;
use libfuzzer_sys::fuzz_target;
use patch::{Bytes, patch};
use places::{Memory, Places};
use slipring::{Observer, Queue};
use watch::{Clock, Tally};

/// A directory in shared memory of this process; `fuzz/run.sh` removes it, since a crash would leave it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let parent = std::env::var_os("FUZZ_DIR").unwrap_or_else(|| "/dev/shm".into());
        let path = PathBuf::from(parent).join(format!("slipring-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder in shared memory");
        Self(path)
    }
    fn queue(&self) -> String {
        self.0.join("q").to_string_lossy().into_owned()
    }
    /// A queue's file, those of its dead letters, and bells.
    fn clear(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

thread_local! {
    static FOLDER: Folder = Folder::new();
    static TALLY: RefCell<Tally> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    FOLDER.with(|folder| {
        TALLY.with_borrow_mut(|tally| run(&mut Bytes::new(data), folder, tally));
        folder.clear();
    });
});

fn run(bytes: &mut Bytes, folder: &Folder, tally: &mut Tally) {
    let path = folder.queue();
    let places = create(bytes, &path);
    let memory = Memory::open(&path, places.end);
    for _ in 0..bytes.u8() % 8 {
        patch(bytes, &memory, &places);
    }
    if let Ok(observer) = Observer::open(&path) {
        let _ = observer.stats();
    }
    let Ok(queue) = Queue::open(&path) else { return };
    let clock = Clock::default();
    let mut actor = Actor::new(queue, (&memory, &places), &clock, tally, true);
    while !bytes.done() {
        actor.step(bytes);
    }
}

/// Makes the queue that the first bytes describe.
fn create(bytes: &mut Bytes, path: &str) -> Places {
    let (shape, flags) = (bytes.u8(), bytes.u8());
    let blocks = [16, 64, 256][usize::from(shape % 3)];
    let block_size = [64, 64, 256][usize::from(shape / 3 % 3)];
    let places = Places::of(blocks, block_size, 1 + usize::from(shape / 9 % 6), 12);
    let capacity = (blocks * block_size) as u64;
    let base = [0, 0, 40, (1 << 32) - 30, (1 << 63) - 30, u64::MAX - 5000, 1 << 58, 1 << 43];
    let options = Queue::options()
        .capacity(capacity)
        .block_size(block_size as u32)
        .max_groups(places.max_groups as u32)
        .max_members(places.max_members as u32)
        .topic(flags & 3 == 3)
        .fenced(flags >> 2 & 3 == 3)
        .retain([0, 0, capacity / 4, capacity / 2][usize::from(flags >> 4 & 3)])
        .base(base[usize::from(bytes.u8() % 8)]);
    drop(options.create(path).expect("a queue with plain options"));
    places
}
