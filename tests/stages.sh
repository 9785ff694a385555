# shellcheck shell=bash
# The stages of tests/run, in their order. A stage is ABOUT[name], a function stage_name, and what it
# needs: packages of Debian (PACKAGES), the S3 server (NEED_CEPH), more than 40 minutes (MINUTES), stages
# that have to end first (AFTER; else toolchain and packages). Two run side by side, LIGHT ones besides.
#
# A stage says on stdout   note: ...       what a reader should know although it passed
#                          left out: ...   and returns $LEFT_OUT: something it needs cannot be had
# and may count its tests with a line "N passed, N failed" if they are not cargo's or pytest's.
#
# tests/run sets $root, $target, $logs, $chosen and $full.
# shellcheck disable=SC2034,SC2154  # the one file reads what the other sets

LEFT_OUT=77
# Of two that may start the first one does; the longest come early.
STAGES=(toolchain packages ceph pypi build format lint python test docs signing features licences corpus actix fuzz oldest timed speed)
NEED_CEPH="test"
LIGHT="packages ceph format pypi"
declare -A ABOUT PACKAGES MINUTES AFTER

left_out() {
    echo "left out: $*"
    exit $LEFT_OUT
}

# ---- what is there

AFTER[toolchain]=""
AFTER[packages]=""
ABOUT[toolchain]="Rust and the corpus"
stage_toolchain() {
    command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs"; return 1; }
    local needs have
    needs=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    have=$(rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n%s\n' "$needs" "${have%%-*}" | sort -V | head -n 1)" = "$needs" ] ||
        { echo "Rust $have is too old, $needs is needed"; return 1; }
    local part
    for part in rustfmt clippy; do
        case $part in rustfmt) cargo fmt --version ;; clippy) cargo clippy --version ;; esac ||
            rustup component add "$part" || { echo "$part is missing: rustup component add $part"; return 1; }
    done
    if [ -n "${LABLINK_CORPUS:-}" ]; then
        echo "corpus: $LABLINK_CORPUS"
    else
        echo "note: no image corpus (LABLINK_CORPUS or ../shared/corpus): its tests are left out"
    fi
    cargo fetch --locked
}

[ ! -f "$HOME/.cargo/env" ] || command -v cargo >/dev/null || source "$HOME/.cargo/env"
find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            PYTHON=$(command -v "$name")
            export PYTHON
            return
        fi
    done
    unset PYTHON
}
find_python
: "${LABLINK_CORPUS:=$(dirname "$root")/shared/corpus}"
if [ -d "$LABLINK_CORPUS" ]; then export LABLINK_CORPUS; else unset LABLINK_CORPUS; fi
export CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1
# As tests/build has it, so that nothing is compiled twice.
export PYO3_BUILD_EXTENSION_MODULE=1
# Nobody builds there a second time.
[ "${CI:-}" != true ] || export CARGO_INCREMENTAL=0

# ---- Debian's packages

PACKAGES[packages]="ca-certificates gcc libc6-dev git python3"
PACKAGES[ceph]="radosgw ceph-mon ceph-osd ceph-common"

missing_packages() {
    local stage package
    for stage in "${chosen[@]}"; do
        for package in ${PACKAGES[$stage]:-}; do
            dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
        done
    done | sort -u
}

# sudo asks for its password here, where a person can see it.
ask_for_root() {
    if [ "$(id -u)" != 0 ] && [ -n "$(missing_packages)" ] && [ -t 0 ] && command -v sudo >/dev/null; then
        sudo -v || true
    fi
}

ABOUT[packages]="Debian's packages, and Python"
stage_packages() {
    command -v dpkg-query >/dev/null || left_out "this is no Debian; wanted: ${PACKAGES[*]}"
    local missing
    missing=$(missing_packages | tr '\n' ' ')
    [ -z "$missing" ] || install_packages "$missing"
    find_python
    [ -n "${PYTHON:-}" ] || left_out "no Python of 3.11 or newer in PATH; name one in PYTHON"
    "$PYTHON" --version
}
install_packages() {
    local missing=$1 sudo=()
    if [ "$(id -u)" != 0 ]; then
        sudo -n true || left_out "neither root nor sudo to install: $missing"
        sudo=(sudo -n)
    fi
    local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update || echo "apt-get update failed; trying with the lists that are there"
    # One package that cannot be had must not keep the others away.
    # shellcheck disable=SC2086  # a list of words
    "${apt[@]}" install --no-install-recommends $missing || {
        local package
        for package in $missing; do "${apt[@]}" install --no-install-recommends "$package" || true; done
    }
    missing=$(missing_packages | tr '\n' ' ')
    [ -z "$missing" ] || left_out "cannot be installed: $missing"
    echo "note: installed $(date +%F)"
}

AFTER[ceph]="packages"
ABOUT[ceph]="a real S3 server on loopback (Ceph RGW)"
stage_ceph() {
    rm -f "$logs/ceph.env"
    if [ -n "${LABLINK_TEST_S3_ENDPOINT:-}" ]; then
        echo "note: using the server at $LABLINK_TEST_S3_ENDPOINT"
        return
    fi
    PATH=$PATH:/usr/sbin command -v radosgw >/dev/null || left_out "radosgw is not installed"
    tests/ceph/start >"$logs/ceph.env.new"
    mv "$logs/ceph.env.new" "$logs/ceph.env"
}

# ---- Rust

ABOUT[build]="the crate, its command line, examples and tests, the Python module"
# Debian's packages are installed meanwhile, unless the compiler's linker is among them.
AFTER[build]="toolchain"
command -v cc >/dev/null || AFTER[build]="toolchain packages"
stage_build() { tests/build; }

ABOUT[format]="rustfmt, and shellcheck of the scripts"
PACKAGES[format]="shellcheck"
stage_format() {
    cargo fmt --all --check
    local scripts
    # Every tracked script of bash or sh, by its first line.
    mapfile -t scripts < <(git grep -lE '^#!.*\b(ba)?sh$' -- . 2>/dev/null)
    command -v shellcheck >/dev/null || left_out "shellcheck is not installed"
    shellcheck "${scripts[@]}" tests/stages.sh
}

ABOUT[lint]="clippy, warnings are errors"
stage_lint() {
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
    # What others depend on: its code is gated otherwise. The other sets are for --full.
    cargo clippy --locked -- -D warnings
}

ABOUT[docs]="rustdoc without warnings"
stage_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features; }

ABOUT[features]="every combination of features passes clippy; without any, the optimizer's tests run (--full)"
stage_features() {
    # s3 and local bring store, ops brings s3 and local, cli brings all.
    local features
    for features in "" --no-default-features; do
        cargo clippy --locked --workspace --all-targets $features -- -D warnings
    done
    local set sets=("webp" "store" "store,webp" "s3" "s3,webp" "local" "local,webp" "s3,local" "ops" "axum" "cli" "avif-decode" "heic" "bmp" "tiff" "image")
    for set in "${sets[@]}"; do
        echo "features: $set"
        # clippy, because RUSTFLAGS of its own would have all dependencies compiled again.
        cargo clippy --locked --no-default-features --features "$set" -- -D warnings
    done
    echo "${#sets[@]} passed, 0 failed"
    cargo test --locked --no-default-features --lib
}

ABOUT[test]="unit, integration and documentation tests"
AFTER[test]="build ceph packages"
MINUTES[test]=50
# The script of `setup` is run by the real AWS CLI; the SQL of `migrate` by SQLite; a stand-in for CloudFront
# gets its certificate from OpenSSL; our decoder is compared with djpeg.
PACKAGES[test]="awscli python3 openssl libjpeg-turbo-progs"
stage_test() {
    [ -z "$full" ] || export LABLINK_TEST_FULL=1
    # What a test left out, it says.
    if cargo nextest --version >/dev/null 2>&1; then
        local status=0
        # It runs each test as a program, whose own sum is not to be added as well. Many wait more than they compute.
        cargo nextest run --locked --workspace --all-features --no-fail-fast --test-threads $(($(nproc) * 2)) --success-output immediate --failure-output final --no-output-indent 2>&1 |
            sed -u '/^ *test result: /d' || status=$?
        # Of these, what failed alone: the log is to end with what a reader looks for.
        cargo test --locked --workspace --all-features --no-fail-fast --doc 2>&1 | sed -u '/^test .* \.\.\. ok$/d' || status=$?
        return $status
    fi
    cargo test --locked --workspace --all-features --no-fail-fast -- --show-output
}

# A cargo subcommand, from crates.io where it is not installed already; unoptimized, it is built in half the time.
cargo_tool() { # name, version
    PATH=$target/tools/bin:$PATH
    command -v "$1" >/dev/null || env -u CARGO_TARGET_DIR cargo install --locked --debug --root "$target/tools" "$1" --version "$2" ||
        left_out "$1 cannot be installed"
}

ABOUT[licences]="licences and advisories of every dependency (--full)"
stage_licences() {
    cargo_tool cargo-deny 0.20.2
    cargo-deny --locked --all-features check licenses bans sources
    local advisories
    if advisories=$(timeout 120 cargo-deny --locked --all-features check advisories 2>&1); then
        echo "$advisories"
    elif grep -qE 'failed to (fetch|clone|open) advisory database|unable to (fetch|clone)' <<<"$advisories"; then
        echo "note: the advisory database cannot be had here: advisories were not looked at"
    else
        echo "$advisories"
        return 1
    fi
}

# ---- what other directories bring, each with its own script: it takes --full, and the S3 server's environment

script() { # stage, script, what it is, further arguments
    ABOUT[$1]=$3
    eval "stage_$1() { ! declare -F before_$1 >/dev/null || before_$1; $2 \${full:+--full} ${4:-}; }"
}

# Downloads, while the compiler has the processors.
ABOUT[pypi]="what the Python tests need from PyPI"
AFTER[pypi]="packages"
PACKAGES[pypi]="python3-venv"
stage_pypi() { python/tests/run --install; }

AFTER[python]="build ceph packages pypi"
AFTER[signing]="build packages"
script python python/tests/run "the Python package, the Flask extension, the example app in a browser" --beside
PACKAGES[python]="python3-venv chromium awscli curl nginx-light redis-server"
NEED_CEPH+=" python"
MINUTES[python]=60
# What measures how late a loop is wants the machine for itself.
script timed python/tests/run "of the Python package, what measures time or memory" --alone
NEED_CEPH+=" timed"
AFTER[timed]="packages ceph pypi build format lint docs features test licences python signing corpus fuzz actix oldest"

script signing tests/signing/run "signatures, byte for byte as boto3's and botocore's"
PACKAGES[signing]="python3-venv"

ABOUT[corpus]="every file of the image corpus, in release, how true each picture is, and beside Chromium; each benchmark once (--full)"
PACKAGES[corpus]="python3-venv chromium"
stage_corpus() {
    [ -z "$full" ] || export LABLINK_TEST_FULL=1
    cargo test --locked --release --all-features --test pixels -- --show-output corpus:: jpeg_decoder::
    tests/corpus_quality
    cargo build --locked --release --all-features
    tests/beside_chromium/run --full --binary "$target/release/lablink-storage"
    # Each benchmark of the optimizer once: that it runs, not how fast.
    cargo bench --locked --bench optimize -- --test
}

ABOUT[actix]="the example on actix-web, a crate of its own (--full)"
stage_actix() {
    CARGO_TARGET_DIR=$target/actix cargo test --locked --manifest-path examples/actix_service/Cargo.toml
}

script fuzz fuzz/run "fuzzing, ten minutes of both targets side by side (--full)"
PACKAGES[fuzz]="g++"
before_fuzz() { cargo_tool cargo-fuzz 0.13.2; }

# What the README says of speed. It wants the machine for itself, hence not in every run.
ABOUT[speed]="no slower and no larger than promised, beside the peers (--full)"
# Node.js may be there from elsewhere, beside which Debian's npm cannot be installed.
command -v npm >/dev/null || PACKAGES[speed]="nodejs npm "
PACKAGES[speed]+="python3-venv python3-dev gcc libjpeg62-turbo-dev zlib1g-dev liblcms2-dev libwebp-dev"
NEED_CEPH+=" speed"
AFTER[speed]="${AFTER[timed]} timed"
stage_speed() {
    [ -n "${LABLINK_CORPUS:-}" ] || left_out "no image corpus to measure on"
    local job passed=0 failed=0
    for job in "compare/run" "compare/run --job png-in" "compare/run --job webp-in" "compare/run --job avif-in --rounds 3" \
        "compare/run --job drawings --rounds 3" "compare/run $LABLINK_CORPUS/photos" "guide/run" "sign_vs_boto3.py"; do
        echo "== benches/$job"
        [[ $job == sign* ]] || job+=" --check"
        # shellcheck disable=SC2086  # a command and its arguments
        if benches/$job; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    # The interpreter of the Python tests has every framework; its wheel is the release build.
    if benches/guide/frameworks --check --python "$target/python-tests/venv/bin/python"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    echo "$passed passed, $failed failed"
}

ABOUT[oldest]="the oldest Rust that Cargo.toml names (--full)"
FULL_ONLY="actix corpus features fuzz licences oldest speed"
stage_oldest() {
    local version
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    command -v rustup >/dev/null || left_out "Rust $version cannot be had without rustup"
    rustup toolchain list | grep -q "^$version" || rustup toolchain install "$version" --profile minimal ||
        left_out "Rust $version cannot be installed"
    cargo "+$version" check --locked --all-features
}
