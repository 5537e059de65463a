#!/bin/sh
# Gets what the embedded engines need: redis-server (Debian's package) and libchdb.so (npm, exact version and
# hash from the lock file). Safe to run again: what is there stays. `make engines` calls it; with --tests
# (`make test-engines`) it also gets what only the tests need: PostgreSQL, Chromium, strace and
# Python's venv.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

say() { printf '%s\n' "engines: $*"; }
missing=0
need() { # need PROGRAM HOW-TO-GET-IT
    if ! command -v "$1" >/dev/null 2>&1; then
        say "missing: $1. Get it with: $2" >&2
        missing=1
    fi
}

# --- what we build with: named, all at once, never installed behind somebody's back --------------------------
need cargo "curl -sSf https://sh.rustup.rs | sh"
need cc "apt-get install gcc libc6-dev"
need node "https://nodejs.org, version 20.19 or newer (Debian 12 packages an older one)"
need npm "it comes with Node from https://nodejs.org"

# --- redis-server --------------------------------------------------------------------------------------------
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
may_be_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}
# package PACKAGE WHAT-FOR: Debian's package, or its name and the command that gets it
package() {
    if command -v apt-get >/dev/null 2>&1 && may_be_root; then
        say "$2: installing Debian's $1"
        [ -n "${lists_fresh:-}" ] || as_root apt-get update -q
        lists_fresh=yes
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1"
    elif command -v apt-get >/dev/null 2>&1; then
        say "missing: $1. Get it with: sudo apt-get install $1" >&2
        missing=1
    else
        say "missing: $1. Get it from your system's packages" >&2
        missing=1
    fi
}
redis=${FOOTFALL_REDIS_SERVER:-redis-server}
if [ -n "${FOOTFALL_REDIS_URL:-}" ]; then
    say "redis: FOOTFALL_REDIS_URL is set, nothing to install"
elif command -v "$redis" >/dev/null 2>&1; then
    say "redis: $(command -v "$redis")"
else
    package redis-server redis
    # The package also starts a service on port 6379. We came for the program only.
    if [ "$missing" = 0 ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
        say "redis: switching off the system's redis-server service, which Footfall does not use"
        as_root systemctl disable --now redis-server || say "redis: could not, it stays on 127.0.0.1:6379"
    fi
fi

# --- what only the tests need --------------------------------------------------------------------------------
if [ "${1:-}" = --tests ]; then
    if command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        say "postgresql: found"
    else
        package postgresql postgresql
    fi
    if command -v "${CHROMIUM:-chromium}" >/dev/null 2>&1; then
        say "chromium: $(command -v "${CHROMIUM:-chromium}")"
    else
        package chromium chromium
    fi
    if command -v strace >/dev/null 2>&1; then
        say "strace: $(command -v strace)"
    else
        package strace strace
    fi
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        say "python3: $(command -v python3), with venv"
    else
        package python3-venv "python3 with venv"
    fi
fi

[ "$missing" = 0 ] || exit 1

# --- libchdb.so ----------------------------------------------------------------------------------------------
library=$here/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so
stamp=$here/node_modules/.installed
if [ -n "${FOOTFALL_CLICKHOUSE_URL:-}" ]; then
    say "clickhouse: FOOTFALL_CLICKHOUSE_URL is set, nothing to install"
elif [ -n "${FOOTFALL_CHDB_LIBRARY:-}" ]; then
    if [ ! -f "$FOOTFALL_CHDB_LIBRARY" ]; then
        say "clickhouse: FOOTFALL_CHDB_LIBRARY is $FOOTFALL_CHDB_LIBRARY, which is not there" >&2
        exit 1
    fi
    say "clickhouse: $FOOTFALL_CHDB_LIBRARY"
elif [ "$(uname -s) $(uname -m)" != "Linux x86_64" ]; then
    if command -v clickhouse >/dev/null 2>&1; then
        say "clickhouse: $(command -v clickhouse)"
    else
        say "clickhouse: the library exists for Linux on x86-64 only. Put a clickhouse program on the PATH" \
            "(https://clickhouse.com/docs/install) or set FOOTFALL_CLICKHOUSE_URL" >&2
        exit 1
    fi
elif [ -f "$library" ] && cmp -s "$here/package-lock.json" "$stamp"; then
    say "clickhouse: $library"
else
    free=$(df -Pk "$here" | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "$free" -lt 1500 ]; then
        say "clickhouse: the library takes 570 MB and as much again while it is unpacked; only $free MB are free" >&2
        exit 1
    fi
    npm=
    stop() { [ -z "$npm" ] || kill "$npm" 2>/dev/null || :; exit 130; }
    trap stop INT TERM
    attempt=1
    while :; do
        say "clickhouse: getting libchdb.so (570 MB unpacked) from npm, attempt $attempt of 3"
        (cd "$here" && exec npm ci --no-audit --no-fund --loglevel=error) &
        npm=$!
        waited=0
        while kill -0 "$npm" 2>/dev/null; do
            sleep 1
            waited=$((waited + 1))
            [ $((waited % 10)) -ne 0 ] || say "clickhouse: still loading, $waited s"
        done
        if wait "$npm"; then break; fi
        npm=
        if [ "$attempt" = 3 ]; then
            say "clickhouse: npm failed three times. Try again with: make engines" >&2
            say "clickhouse: or set FOOTFALL_CLICKHOUSE_URL to a ClickHouse server" >&2
            exit 1
        fi
        sleep $((attempt * 3))
        attempt=$((attempt + 1))
    done
    npm=
    if [ ! -f "$library" ]; then
        say "clickhouse: npm ended well but $library is not there (npm's omit=… set?)" >&2
        exit 1
    fi
    cp "$here/package-lock.json" "$stamp"
    say "clickhouse: $library"
fi
say "ready"
