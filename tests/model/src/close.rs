//! docs/design.md section 4, the end: how a queue is closed. Under the registry lock. For claims of one block only; how
//! a walker learns of other lengths is checked where producers help one another.

use crate::actor::Pc;
use crate::config::Bug;
use crate::publish::Turn;
use crate::words::{Mode, NONE, Pos};

impl Turn<'_> {
    /// Takes the registry lock to close, or to finish what one that was killed began.
    pub fn begin_close(&mut self) {
        self.s.close = false;
        self.lock();
        match self.s.mode {
            Mode::Sole(former) | Mode::Switching(former)
                if !self.cfg.has(Bug::CloserIgnoresAnnouncement) =>
            {
                self.end_solitude(former, true);
            }
            Mode::Closed => self.go(Pc::CloseTail),
            _ if self.cfg.has(Bug::EndBeforeClose) => self.go(Pc::CloseTail),
            _ => self.go(Pc::CloseMode { end: NONE }),
        }
    }

    /// One step of closing.
    pub fn close_step(&mut self, pc: Pc) {
        match pc {
            Pc::CloseMode { end } => {
                self.s.mode = Mode::Closed;
                self.go(if end == NONE { Pc::CloseTail } else { Pc::CloseEnd { end } });
            }
            Pc::CloseTail => {
                let at = self.s.tail.max(self.s.gate);
                self.go(Pc::CloseLook { at });
            }
            Pc::CloseLook { at } => self.look_for_end(at),
            Pc::CloseEnd { end } => {
                self.s.end = end;
                self.unlock();
            }
            other => unreachable!("not a step of closing: {other:?}"),
        }
    }

    fn look_for_end(&mut self, at: Pos) {
        let stamp = self.s.stamps[self.cfg.index(at)];
        let lap = self.cfg.lap(at);
        let early = self.cfg.has(Bug::EndBeforeClose) && self.s.mode != Mode::Closed;
        self.go(match stamp.lap() {
            later if later > lap => Pc::CloseTail,
            same if same == lap => Pc::CloseLook { at: at + 1 },
            _ if early => Pc::CloseMode { end: at },
            _ => Pc::CloseEnd { end: at },
        });
    }
}
