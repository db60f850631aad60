/work/main/tests/model/target/release/deps/choice-a6f701174da61030.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/choice-0.0.2/src/lib.rs

/work/main/tests/model/target/release/deps/libchoice-a6f701174da61030.rlib: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/choice-0.0.2/src/lib.rs

/work/main/tests/model/target/release/deps/libchoice-a6f701174da61030.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/choice-0.0.2/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/choice-0.0.2/src/lib.rs:
