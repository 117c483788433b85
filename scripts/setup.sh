#!/usr/bin/env bash
# Makes .venv from requirements.lock and sees to the system libraries. Quick when all is there.
#
#   scripts/setup.sh            what `make book` needs: Python packages, OpenGL
#   scripts/setup.sh --browser  what `make test` needs besides: Chromium
#
#   PYTHON=python3.12           which Python makes the environment
#   TORCH_INDEX=<address>       one more wheel index, asked for torch (see README)
#
# Exit code 2: something is missing that only the reader can bring; the last lines say what to type.
set -euo pipefail
cd "$(dirname "$0")/.."

GL_PACKAGES="libegl1 libgl1-mesa-dri libosmesa6"
venv=.venv
stamps=.stamps

say() { printf '%s\n' "$*"; }
stop() {
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '%s\n' "$@" >&2
    exit 2
}

case "$*" in
    "" | --browser) ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' scripts/setup.sh
        exit
        ;;
    *) stop "unknown arguments: $*: see scripts/setup.sh --help" ;;
esac

# -------------------------------------------------------------------------------- system packages

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# need WHY PACKAGE...: installs Debian packages where that asks nobody, else says what to type.
need() {
    local why=$1
    shift
    local command="apt-get update && apt-get install --yes --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        stop "$why." "Install what Debian calls: $*"
    fi
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        stop "$why. Type this, then run make again:" "    sudo sh -c '$command'"
    fi
    say "$why: installing $*"
    if ! { as_root apt-get -qq update &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -qq install --yes --no-install-recommends "$@" >/dev/null; }; then
        stop "installing failed. Type this to see why:" "    $command"
    fi
}

# ----------------------------------------------------------------------------------------- Python

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$new_enough" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "this book needs Python 3.11 or newer; found: $(python3 --version 2>&1 | head -1)." \
        "Install one, or name it: make book PYTHON=/path/to/python3.11"
}

make_environment() {
    local python version
    python=$(find_python)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        need "Python $version came without venv" "python$version-venv"
    fi
    say "making $venv with $python ($version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-16
}

install_packages() {
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c "$new_enough" 2>/dev/null; then
        make_environment
    fi
    local stamp
    stamp=$stamps/packages-$(cat requirements.lock pyproject.toml scripts/check_lock.py | sha256)
    if [ -f "$stamp" ] && [ "$stamp" -nt "$venv/pyvenv.cfg" ]; then
        return
    fi
    if ! "$venv/bin/python" scripts/check_lock.py --quiet; then
        say "installing $(grep -c == requirements.lock) packages from requirements.lock: some minutes"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
            ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.lock ||
            stop "pip could not install requirements.lock: see above."
        "$venv/bin/python" scripts/check_lock.py
    fi
    # The lock has setuptools, so building needs nothing else.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation -e . || stop "pip could not install the package labs."
    rm -f "$stamps"/packages-* "$stamps"/draws
    touch "$stamp"
}

# ----------------------------------------------------------------------------------------- OpenGL

gl_library_loads() {
    "$venv/bin/python" - <<'PY'
import ctypes, sys
for name in ("libEGL.so.1", "libOSMesa.so.8", "libOSMesa.so.6"):
    try:
        ctypes.CDLL(name)
        sys.exit(0)
    except OSError:
        pass
sys.exit(1)
PY
}

# Loading a library proves little: a frame is drawn with it.
renderer() {
    "$venv/bin/python" -c \
        'from labs.envs import GL_BACKEND, probe_gl; print(GL_BACKEND, probe_gl(GL_BACKEND) or "")'
}

check_gl() {
    if [ "$(uname -s)" = Darwin ]; then
        say "macOS draws with its own OpenGL (MUJOCO_GL=cgl): no packages to install."
    elif ! gl_library_loads; then
        need "No OpenGL library for drawing without a screen (libEGL or libOSMesa)" $GL_PACKAGES
    fi
    if [ -f "$stamps/draws" ]; then
        return
    fi
    local drawn
    drawn=$(renderer)
    if [ -z "${drawn#* }" ] && [ "$(uname -s)" != Darwin ]; then
        need "OpenGL by ${drawn%% *} loads but draws nothing" $GL_PACKAGES
        drawn=$(renderer)
    fi
    if [ -z "${drawn#* }" ]; then
        stop "OpenGL by ${drawn%% *} draws nothing." \
            "Try the other backend: MUJOCO_GL=osmesa make book (or egl)"
    fi
    say "OpenGL: ${drawn%% *}, ${drawn#* }"
    say "$drawn" >"$stamps/draws"
}

# --------------------------------------------------------------------------------------- Chromium

check_browser() {
    if "$venv/bin/python" -c \
        'from tests.browser import executable; raise SystemExit(executable() is None)'; then
        return
    fi
    if [ "${PIXELS_ALLOW_NO_BROWSER:-}" = 1 ] && [ -z "${CI:-}" ]; then
        say "No Chromium: the tests that open built pages will be named as not run."
    # On Ubuntu the package of this name only fetches a snap.
    elif grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
        need "No Chromium, which opens the built pages" chromium
    else
        stop "no Chromium to open the built pages. Install it or Google Chrome, or type:" \
            "    $venv/bin/playwright install --with-deps chromium" \
            "To go on without those tests: PIXELS_ALLOW_NO_BROWSER=1 make test"
    fi
}

mkdir -p "$stamps"
install_packages
check_gl
if [ "${1:-}" = --browser ]; then
    check_browser
fi
