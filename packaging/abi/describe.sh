#!/bin/sh
# Writes down the binary interface of a header and its library, to be compared with what is promised here: describe.sh HEADER LIBRARY DIRECTORY
#
#   slipring.abi    types and functions as a C compiler sees them, for abidiff
#   symbols.txt     what the library exports
#   constants.txt   the numbers that are compiled into programs
#
# slipring.abi comes from the header's functions with bodies that do nothing: the library's own debug information tells of types of
# Rust's compiler and libraries, which are no part of the interface and change with each of its versions.
set -eu
header=$1 library=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

exported() { nm -D --defined-only "$1" | sed 's/.* //' | sort; }

sed 's/);$/) { __builtin_trap(); }/' "$header" >"$work/slipring.c"
soname=$(objdump -p "$library" | sed -n 's/^ *SONAME *//p')
(cd "$work" && cc -g -std=c11 -shared -fPIC -Wl,-soname,"$soname" slipring.c -o slipring.so)
abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-elf-needed --no-show-locs --type-id-style hash \
    "$work/slipring.so" >"$out/slipring.abi"

exported "$library" >"$out/symbols.txt"
exported "$work/slipring.so" >"$work/declared.txt"
diff "$work/declared.txt" "$out/symbols.txt" >&2 || { echo "$header declares (<) other functions than $library exports (>)" >&2; exit 1; }

cc -dM -E "$header" | sed -n '/_VERSION/d; s/^#define \(SLIPRING_.* .\)/\1/p' | sort >"$out/constants.txt"
