//! Every language speaks with every other through one queue: ffi-examples/*/records, built from what `make install` puts into an
//! empty prefix, sends a file of records and writes what it receives; the bytes are compared.

mod common;
#[path = "languages/examples.rs"]
mod examples;
#[path = "languages/modules.rs"]
mod modules;
#[path = "ffi/prefix.rs"]
#[allow(dead_code)]
mod prefix;
#[path = "languages/programs.rs"]
mod programs;

use common::TempDir;
use programs::{Language, Programs, Running};
use slipring::Queue;
use std::time::{Duration, Instant};

const RECORDS: usize = 10_000;

/// A record as the programs read and write it, different for each number; sizes of an octet to some that take many blocks.
fn record(number: usize) -> Vec<u8> {
    let event = match number % 5 {
        0 => String::new(),
        1 => "order.paid".to_owned(),
        2 => format!("straße.{number}"),
        3 => "x".repeat(number % 255 + 1),
        _ => "e".to_owned(),
    };
    let size = match number % 1000 {
        999 => 100_000,
        n if n % 100 == 77 => 5_000 + number,
        n if n % 10 == 3 => 0,
        n => n / 2,
    };
    let mut payload: Vec<u8> = (0..size).map(|at| (at * 7 + number * 13) as u8).collect();
    payload.extend_from_slice(number.to_string().as_bytes());
    [
        &(event.len() as u32).to_le_bytes(),
        event.as_bytes(),
        &(payload.len() as u32).to_le_bytes(),
        &payload,
    ]
    .concat()
}

/// The records of what a program has written.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let part = |from: usize| {
            let len: [u8; 4] = bytes[from..from + 4].try_into().unwrap();
            from + 4 + u32::from_le_bytes(len) as usize
        };
        let (record, rest) = bytes.split_at(part(part(0)));
        records.push(record);
        bytes = rest;
    }
    records
}

fn a_queue(dir: &TempDir, name: &str) -> String {
    let path = dir.path(name);
    Queue::options().capacity(4 << 20).create(&path).unwrap();
    path
}

/// One test, since the programs are built once and go with it.
#[test]
fn all_languages_through_one_queue() {
    let programs = Programs::build();
    every_language_understands_every_other(&programs);
    one_work_queue_for_all_and_each_is_killed_once(&programs);
}

fn every_language_understands_every_other(programs: &Programs) {
    let dir = TempDir::new();
    let input = dir.path("input");
    let expected: Vec<u8> = (0..RECORDS).flat_map(record).collect();
    std::fs::write(&input, &expected).unwrap();
    for sender in Language::ALL {
        for receiver in Language::ALL {
            let pair = format!("{sender:?}-{receiver:?}");
            let start = Instant::now();
            let (queue, output) = (a_queue(&dir, &pair), dir.path("output"));
            let work = programs.start(receiver, &["work", &queue, "default", &output]);
            let send = programs.start(sender, &["send", &queue, &input]);
            send.finish(&pair);
            work.finish(&pair);
            let got = std::fs::read(&output).unwrap();
            assert!(got == expected, "{pair}: {} of {} bytes", got.len(), expected.len());
            std::fs::remove_file(&output).unwrap();
            Queue::unlink(&queue).unwrap();
            println!("{sender:?} to {receiver:?}: {} ms", start.elapsed().as_millis());
        }
    }
}

/// A worker in each language on one group, and one of them killed with a message in its hands: each record is done once.
fn one_work_queue_for_all_and_each_is_killed_once(programs: &Programs) {
    let dir = TempDir::new();
    let input = dir.path("input");
    let records: Vec<Vec<u8>> = (0..RECORDS).map(record).collect();
    std::fs::write(&input, records.concat()).unwrap();
    for victim in Language::ALL {
        let name = format!("killed-{victim:?}");
        let queue = a_queue(&dir, &name);
        let output = |language: Language| dir.path(&format!("{name}-{language:?}"));
        let mut workers: Vec<(Language, Running)> = Vec::new();
        for language in Language::ALL {
            let output = output(language);
            let mut arguments = vec!["work", &queue, "default", &output];
            if language == victim {
                arguments.push("3");
            }
            workers.push((language, programs.start(language, &arguments)));
        }
        wait_for_members(&queue, workers.len());
        let send = programs.start(Language::Rust, &["send", &queue, &input]);
        for (language, worker) in &mut workers {
            if *language == victim {
                worker.wait_for("holding");
                worker.kill();
            }
        }
        send.finish(&name);
        let mut done = Vec::new();
        for (language, worker) in workers {
            if language != victim {
                worker.finish(&format!("{name}, {language:?}"));
            }
            done.push(std::fs::read(output(language)).unwrap());
        }
        assert_eq!(split(&done[victim as usize]).len(), 2, "{name}: it acked what came before");
        let shares: Vec<usize> = done.iter().map(|bytes| split(bytes).len()).collect();
        let mut all: Vec<&[u8]> = done.iter().flat_map(|bytes| split(bytes)).collect();
        let mut expected: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        all.sort_unstable();
        expected.sort_unstable();
        assert_eq!(all.len(), expected.len(), "{name}: {shares:?}");
        assert!(all == expected, "{name}: the same number of records, but not the same");
        println!("{name}: {shares:?}");
        Queue::unlink(&queue).unwrap();
    }
}

fn wait_for_members(queue: &str, count: usize) {
    let queue = Queue::open(queue).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while queue.stats().members.len() < count {
        assert!(Instant::now() < end, "{:?}", queue.stats().members);
        std::thread::sleep(Duration::from_millis(5));
    }
}
