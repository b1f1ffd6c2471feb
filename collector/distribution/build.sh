#!/usr/bin/env bash
# build.sh DEST builds the Collector of this folder into the file DEST. The first time
# takes some minutes.
set -euo pipefail
[ $# = 1 ] || { echo "usage: build.sh DEST" >&2; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$(dirname "$1")"
dest=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
# The caller's settings have no say here. Without cgo no C compiler is needed.
export GOFLAGS= GOWORK=off GOOS= GOARCH= CGO_ENABLED=0
staging=$(mktemp "$dest.XXXXXX")
trap 'rm -f "$staging"' EXIT
go -C "$here" build -trimpath -ldflags='-s -w' -o "$staging" .
mv -f "$staging" "$dest"
