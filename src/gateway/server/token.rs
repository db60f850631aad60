//! The numbers by which the loop knows what has happened to whom.

use mio::Token;

pub(super) const LISTENER: Token = Token(0);
pub(super) const SIGNALS: Token = Token(1);

/// Who is meant by a number.
pub(super) enum Whose {
    Listener,
    Signals,
    Connection(usize),
    Group(usize),
}

/// A connection: its socket, and its reader's descriptor if it has one.
pub(super) fn connection(index: usize) -> Token {
    Token(2 + 2 * index)
}

pub(super) fn group(key: usize) -> Token {
    Token(3 + 2 * key)
}

pub(super) fn whose(token: Token) -> Whose {
    match token {
        LISTENER => Whose::Listener,
        SIGNALS => Whose::Signals,
        Token(number) if number % 2 == 0 => Whose::Connection((number - 2) / 2),
        Token(number) => Whose::Group((number - 3) / 2),
    }
}
