//! `slipring doctor`: `system.rs` looks at the machine, `queue.rs` at each queue, `users.rs` at who has them open.

mod queue;
mod system;
mod users;

use crate::failure::{About, Coded, Done, FAILURE, Failure};
use crate::output;
use crate::place;
use serde_json::{Value, json};
use slipring::{Observer, OpenError, Queue};
use std::fmt::Write;
use system::System;
use users::Users;

/// Look at the system, the directory and every queue; for each problem say the command that helps
#[derive(clap::Args)]
pub struct Doctor {
    /// Only this queue
    name: Option<String>,
    /// Repair what dead members left
    #[arg(long)]
    repair: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Doctor) -> Done {
    let names = match &args.name {
        Some(name) => vec![name.clone()],
        None => Queue::list().about("doctor")?,
    };
    let mut report = Report { system: System::look(&args), ..Report::default() };
    report.problems.extend(report.system.problems());
    let users = Users::look();
    for name in names {
        if args.repair {
            report.repair(&name)?;
        }
        match Observer::open(&name) {
            Ok(observer) => report.queue(&observer, &users),
            // Removed since it was listed.
            Err(OpenError::NotFound(_)) if args.name.is_none() => {}
            Err(error @ OpenError::NotFound(_)) => return Err(error).about(&name),
            Err(error) => report.unreadable(&name, &error),
        }
    }
    report.leftovers(&place::directory(args.name.as_deref()), args.name.is_some());
    if args.json {
        output::print_json(&report.json())?;
    } else {
        output::print(&report.text())?;
    }
    let (count, code) = (report.problems.len(), report.code);
    if count == 0 {
        return Ok(());
    }
    let found = output::counted(count as u64, "problem");
    Err(Failure::new(code.max(FAILURE), format_args!("{found} found")))
}

#[derive(Default)]
struct Report {
    system: System,
    queues: Vec<Value>,
    repaired: Vec<Value>,
    text: String,
    problems: Vec<Problem>,
    /// What is as it may be, and worth knowing.
    notes: Vec<Problem>,
    /// The exit code that the worst problem asks for.
    code: u8,
}

struct Problem {
    what: String,
    command: String,
}

impl Problem {
    fn new(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: command.into() }
    }
}

impl Report {
    /// Frees what dead members hold. What cannot be opened is left alone: the report says what is wrong with it.
    fn repair(&mut self, name: &str) -> Done {
        let Ok(queue) = Queue::open(name) else { return Ok(()) };
        let done = queue.recover().about(name)?;
        if done.members > 0 {
            self.repaired.push(json!({
                "name": name, "members": done.members, "holes": done.holes,
                "given_back": done.given_back,
            }));
            output::say(format_args!(
                "{name}: dead members repaired: {}; unfinished messages skipped: {}; messages given back: {}",
                done.members, done.holes, done.given_back
            ));
        }
        Ok(())
    }

    fn unreadable(&mut self, name: &str, error: &OpenError) {
        self.code = self.code.max(error.code());
        self.queues.push(json!({"name": name, "error": error.to_string()}));
        let _ = writeln!(self.text, "{name}: cannot be used");
        let command = match error {
            OpenError::Corrupt(_) => {
                format!("slipring rm {name}, then slipring create {name}; what it held is lost")
            }
            OpenError::Permission(_) => format!("chmod a+r on the file of {name}, by its owner"),
            _ => format!("slipring rm {name}, if nobody needs it"),
        };
        self.problems.push(Problem::new(error.to_string(), command));
    }

    fn text(&self) -> String {
        let mut text = self.system.text();
        text.push_str(&self.text);
        for note in &self.notes {
            let _ = writeln!(text, "note: {}\n     try: {}", note.what, note.command);
        }
        for problem in &self.problems {
            let _ = writeln!(text, "problem: {}\n     try: {}", problem.what, problem.command);
        }
        if self.problems.is_empty() {
            text.push_str("no problems found\n");
        }
        text
    }

    fn json(&self) -> Value {
        let list = |key: &str, list: &[Problem]| -> Value {
            list.iter().map(|item| json!({key: item.what, "command": item.command})).collect()
        };
        let mut value = self.system.json();
        if let Value::Object(fields) = &mut value {
            fields.insert("queues".into(), self.queues.clone().into());
            fields.insert("repaired".into(), self.repaired.clone().into());
            fields.insert("problems".into(), list("problem", &self.problems));
            fields.insert("notes".into(), list("note", &self.notes));
        }
        value
    }
}
