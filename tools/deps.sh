#!/usr/bin/env bash
# deps.sh WHAT... checks that the machine has what the Makefile's targets need
# besides Go and, where apt-get can, installs what is missing:
#
#	cc        a C compiler, for testdata/gen/cgo and the race detector
#	chromium  Chromium or Chrome, for what the Perfetto UI does in a browser
#	curl      for what examples/slowrequest/README.md shows
#	node      Node.js 18 or later with npm, for Perfetto's trace processor
#	git       for the version that "go build" puts into the program
#	protoc    for "make generate"
set -euo pipefail

has() { command -v "$1" >/dev/null; }

# A compiler without the C library's headers is common, so try to compile.
has_cc() { echo '#include <stdlib.h>' | $(go env CC) -E - >/dev/null 2>&1; }
has_chromium() { has chromium || has chromium-browser || has google-chrome || has google-chrome-stable; }
has_node() { has node && has npm && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; }

# missing prints those that are not there.
missing() {
  local what
  for what; do
    case $what in
    cc | chromium | node) "has_$what" ;;
    curl | git | protoc) has "$what" ;;
    *) echo "deps.sh: no dependency is called $what" >&2 && exit 2 ;;
    esac || echo "$what"
  done
}

has go || { echo "deps.sh: needs Go, of the version in go.mod or later" >&2 && exit 1; }
lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0

packages=()
for what in $lacking; do
  case $what in
  cc) packages+=(gcc libc6-dev) ;;
  chromium) packages+=(chromium) ;;
  curl) packages+=(curl) ;;
  git) packages+=(git ca-certificates) ;;
  protoc) packages+=(protobuf-compiler) ;;
  node)
    # Packages of others' nodejs contain npm, and conflict with Debian's npm.
    has node || packages+=(nodejs)
    has npm || packages+=(npm)
    ;;
  esac
done

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if [ ${#packages[@]} -gt 0 ] && has apt-get && { [ -z "$sudo" ] || has sudo; }; then
  echo "deps.sh: installing ${packages[*]}" >&2
  # Another apt-get may be at work, as on a machine that has just been started.
  # What it prints, a line for each of hundreds of packages, matters if it fails.
  apt() {
    local log
    log=$($sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" 2>&1) ||
      { echo "$log" >&2 && exit 1; }
  }
  apt update
  apt install -y --no-install-recommends "${packages[@]}"
  hash -r
  lacking=$(missing $lacking)
fi
[ -n "$lacking" ] || exit 0

for what in $lacking; do
  case $what in
  cc) echo "deps.sh: needs a C compiler: gcc and the C library's headers (Debian: gcc libc6-dev)" ;;
  chromium) echo "deps.sh: needs Chromium or Chrome (Debian: chromium)" ;;
  node) echo "deps.sh: needs Node.js 18 or later with npm (Debian: nodejs npm); node is $(node --version 2>/dev/null || echo missing), npm is $(npm --version 2>/dev/null || echo missing)" ;;
  curl | git) echo "deps.sh: needs $what" ;;
  protoc) echo "deps.sh: needs protoc (Debian: protobuf-compiler)" ;;
  esac >&2
done
exit 1
