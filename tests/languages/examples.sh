#!/bin/sh
# examples.sh DIR C-PROGRAMS C++-PROGRAMS RECORDS [WRAPPER...]: what the examples in C and C++ say they do, each run through the wrapper
# (Valgrind, say). RECORDS is a file of records to send. Works in DIR, which is empty and stays the caller's.
set -eu
d=$1 c=$2 cpp=$3 records=$4
shift 4

fail() {
    echo "FAILED: $*"
    cat "$d"/*.err 2>/dev/null || true
    exit 1
}
equal() { [ "$1" = "$2" ] || fail "got [$1], expected [$2]"; }
# Waits for a line in a file.
await() {
    for _ in $(seq 300); do
        grep -qx "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    fail "no line '$2' in $1"
}
# Sends to a worker's queue until the worker has written something: before its group is there the topic keeps nothing, and before that there
# is no queue.
await_worker() {
    for _ in $(seq 300); do
        "$@" 2>/dev/null || true
        grep -qx ready "$written" 2>/dev/null && return
        sleep 0.1
    done
    fail "no worker writes to $written"
}
# Runs a command that has to fail with a code.
refused() {
    code=$1
    shift
    actual=0
    "$@" 2>"$d/refused.err" || actual=$?
    equal "$actual" "$code"
    [ -s "$d/refused.err" ] || fail "no word about why: $*"
}

echo first, frame
equal "$("$@" "$c/first" "$d/a" hello world)" "$(printf 'hello\nworld')"
equal "$("$@" "$cpp/first" "$d/a" hello world)" "$(printf 'hello\nworld')"
equal "$("$@" "$c/frame" "$d/frames" | grep -c good)" 2

echo producer: a full queue
"$@" "$c/first" "$d/full"
yes 'a line that fills the ring' | head -n 20000 >"$d/lines"
refused 1 "$@" "$c/producer" -t 100 -e line.read "$d/full" <"$d/lines"
grep -q 'is full' "$d/refused.err" || fail "it does not say that it waits"
"$@" "$c/first" "$d/full" >"$d/drained"
[ "$(wc -l <"$d/drained")" -gt 1000 ] || fail "the ring was not full"
refused 1 "$@" "$c/producer" "$d/nowhere" x
refused 2 "$@" "$c/producer" -t

echo worker: retry, reject, dead letters, SIGTERM
cat >"$d/job" <<'JOB'
line=$(cat)
case $line in
    poison) exit 100 ;;
    broken) exit 1 ;;
    flaky) [ -e "$DIR/seen" ] || { : >"$DIR/seen"; exit 1; } ;;
esac
echo "$line" >>"$DIR/done"
JOB
DIR=$d "$@" "$c/worker" "$d/jobs" billing dead "sh $d/job" 2>"$d/worker.err" &
worker=$!
written=$d/done await_worker "$@" "$c/producer" "$d/jobs" ready
"$@" "$c/producer" "$d/jobs" one poison flaky broken two
await "$d/done" two
await "$d/done" flaky
for _ in $(seq 300); do
    [ "$(grep -c '^delivery' "$d/worker.err")" -ge 6 ] && break
    sleep 0.1
done
kill -TERM $worker
wait $worker
equal "$(grep -v ready "$d/done" | sort | xargs)" "flaky one two"
equal "$("$@" "$c/first" "$d/dead" | sort | xargs)" "broken poison"

echo worker in C++: many in hand, one flush
"$@" "$cpp/worker" "$d/batches" g dead-batches "$d/log" 2>"$d/worker.err" &
worker=$!
written=$d/log await_worker "$@" "$c/producer" "$d/batches" ready
"$@" "$c/producer" "$d/batches" a b '' c last
await "$d/log" last
kill -TERM $worker
wait $worker
equal "$(grep -v ready "$d/log" | xargs)" "a b c last"

echo epoll: standard input and the queue in one loop
mkfifo "$d/typed"
"$@" "$c/epoll" "$d/chat" <"$d/typed" >"$d/chat.out" 2>"$d/epoll.err" &
chat=$!
exec 3>"$d/typed"
echo mine >&3
await "$d/chat.out" mine
"$@" "$c/producer" "$d/chat" theirs
await "$d/chat.out" theirs
printf 'without a newline' >&3
exec 3>&-
wait $chat
equal "$(cat "$d/chat.out")" "$(printf 'mine\ntheirs\nwithout a newline')"

echo records: through and through
for sender in "$c" "$cpp"; do
    for receiver in "$c" "$cpp"; do
        rm -f "$d/through" "$d/copy"
        "$@" "$c/first" "$d/through"
        "$@" "$receiver/records" work "$d/through" default "$d/copy" &
        work=$!
        "$@" "$sender/records" send "$d/through" "$records"
        wait $work
        cmp "$records" "$d/copy"
    done
done
for program in "$c/records" "$cpp/records"; do
    refused 2 "$@" "$program" send
    refused 2 "$@" "$program" work a b c 0
    refused 1 "$@" "$program" send "$d/nowhere" "$records"
    refused 1 "$@" "$program" work "$d/a" default "$d"
    # The queue is closed.
    refused 1 "$@" "$program" send "$d/through" "$records"
    printf '\001\000' >"$d/bad"
    refused 1 "$@" "$program" send "$d/a" "$d/bad"
done
echo all good
