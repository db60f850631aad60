//! The numbers by which the loop knows what has happened to whom.

use mio::Token;

pub(super) const SIGNALS: Token = Token(usize::MAX);

const KINDS: usize = 5;

/// Who is meant by a number.
pub(super) enum Whose {
    Signals,
    Connection(usize),
    Group(usize),
    Port(usize),
    Feed(usize),
    Collector(usize),
}

pub(super) fn connection(index: usize) -> Token {
    Token(KINDS * index)
}

pub(super) fn group(key: usize) -> Token {
    Token(KINDS * key + 1)
}

pub(super) fn port(index: usize) -> Token {
    Token(KINDS * index + 2)
}

pub(super) fn feed(key: usize) -> Token {
    Token(KINDS * key + 3)
}

pub(super) fn collector(index: usize) -> Token {
    Token(KINDS * index + 4)
}

pub(super) fn whose(token: Token) -> Whose {
    match token {
        SIGNALS => Whose::Signals,
        Token(number) => match number % KINDS {
            0 => Whose::Connection(number / KINDS),
            1 => Whose::Group(number / KINDS),
            2 => Whose::Port(number / KINDS),
            3 => Whose::Feed(number / KINDS),
            _ => Whose::Collector(number / KINDS),
        },
    }
}
