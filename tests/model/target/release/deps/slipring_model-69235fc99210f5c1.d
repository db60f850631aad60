/work/main/tests/model/target/release/deps/slipring_model-69235fc99210f5c1.d: src/lib.rs src/actor.rs src/check.rs src/config.rs src/group.rs src/group_members.rs src/members.rs src/model.rs src/properties.rs src/publish.rs src/repair.rs src/room.rs src/state.rs src/symmetry.rs src/words.rs

/work/main/tests/model/target/release/deps/libslipring_model-69235fc99210f5c1.rlib: src/lib.rs src/actor.rs src/check.rs src/config.rs src/group.rs src/group_members.rs src/members.rs src/model.rs src/properties.rs src/publish.rs src/repair.rs src/room.rs src/state.rs src/symmetry.rs src/words.rs

/work/main/tests/model/target/release/deps/libslipring_model-69235fc99210f5c1.rmeta: src/lib.rs src/actor.rs src/check.rs src/config.rs src/group.rs src/group_members.rs src/members.rs src/model.rs src/properties.rs src/publish.rs src/repair.rs src/room.rs src/state.rs src/symmetry.rs src/words.rs

src/lib.rs:
src/actor.rs:
src/check.rs:
src/config.rs:
src/group.rs:
src/group_members.rs:
src/members.rs:
src/model.rs:
src/properties.rs:
src/publish.rs:
src/repair.rs:
src/room.rs:
src/state.rs:
src/symmetry.rs:
src/words.rs:
