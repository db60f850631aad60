//! The C libraries as a C programmer meets them: headers, an installed prefix, mistakes, and a binary interface that stays.
//!
//! Needs what `make setup-test` installs: both compilers, pkg-config, CMake, Valgrind and libabigail's tools.

#[path = "ffi/abi.rs"]
mod abi;
mod common;
#[path = "ffi/headers.rs"]
mod headers;
#[path = "ffi/install.rs"]
mod install;
#[path = "ffi/misuse.rs"]
mod misuse;
#[path = "ffi/prefix.rs"]
mod prefix;
