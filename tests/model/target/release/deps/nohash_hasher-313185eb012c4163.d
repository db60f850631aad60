/work/main/tests/model/target/release/deps/nohash_hasher-313185eb012c4163.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/nohash-hasher-0.2.0/src/lib.rs

/work/main/tests/model/target/release/deps/libnohash_hasher-313185eb012c4163.rlib: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/nohash-hasher-0.2.0/src/lib.rs

/work/main/tests/model/target/release/deps/libnohash_hasher-313185eb012c4163.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/nohash-hasher-0.2.0/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/nohash-hasher-0.2.0/src/lib.rs:
