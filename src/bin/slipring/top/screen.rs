//! The terminal, while it is ours.

use super::sample::Snapshot;
use super::state::State;
use super::view;
use ratatui::DefaultTerminal;
use std::io;

/// The terminal in raw mode, with a screen of its own. It gets its old state back when this is dropped, and before a panic's message is
/// printed, in whatever thread.
pub struct Screen(DefaultTerminal);

impl Screen {
    pub fn enter() -> io::Result<Self> {
        // One that is half taken is given back, too.
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }

    pub fn draw(&mut self, snapshot: &Snapshot, state: &State) -> io::Result<()> {
        self.0.draw(|frame| view::draw(frame.area(), frame.buffer_mut(), snapshot, state))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        ratatui::restore();
    }
}
