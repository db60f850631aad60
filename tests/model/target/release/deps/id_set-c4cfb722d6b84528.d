/work/main/tests/model/target/release/deps/id_set-c4cfb722d6b84528.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/lib.rs /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/store.rs

/work/main/tests/model/target/release/deps/libid_set-c4cfb722d6b84528.rlib: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/lib.rs /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/store.rs

/work/main/tests/model/target/release/deps/libid_set-c4cfb722d6b84528.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/lib.rs /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/store.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/lib.rs:
/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/id-set-0.2.2/src/store.rs:
