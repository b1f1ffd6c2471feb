#!/usr/bin/env bash
# build.sh DEST makes the file DEST Jaeger's all-in-one, of the version that
# go.mod beside this script names, and leaves a DEST that is it already alone.
# It needs go, and the Go module proxy the first time. The program has Jaeger's
# placeholder instead of the UI: a module does not ship the built UI.
set -euo pipefail

module=github.com/jaegertracing/jaeger
package=$module/cmd/all-in-one

fail() {
  echo "build.sh: $*" >&2
  exit 1
}

[ $# = 1 ] || fail "usage: build.sh DEST"
dest=$1
[ ! -d "$dest" ] || fail "$dest is a folder"

# The caller's settings (a GOFLAGS meant for the root module, a go.work, a
# GOOS to build for) have no say here. Without cgo no C compiler is needed.
export GOFLAGS= GOWORK=off GOOS= GOARCH= CGO_ENABLED=0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(go -C "$here" list -m -f '{{.Version}}' "$module")

built() {
  [ -x "$dest" ] && go version -m "$dest" 2>/dev/null |
    awk -v m="$module" -v v="$version" '$1 == "mod" && $2 == m && $3 == v { ok = 1 } END { exit !ok }'
}

if built; then
  exit 0
fi

folder=$(dirname "$dest")
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
dest=$folder/$(basename "$dest")

# Two cold builds at once would each take twice as long. Where there is no
# flock(1), as on macOS, they do; the rename below still keeps DEST whole.
if command -v flock >/dev/null; then
  exec 9<"$folder"
  flock 9
  if built; then
    exit 0
  fi
fi

staging=$(mktemp -d "$folder/.all-in-one.XXXXXX")
trap 'rm -rf "$staging"' EXIT
go -C "$here" build -trimpath -ldflags='-s -w' -o "$staging/all-in-one" "$package"
mv -f "$staging/all-in-one" "$dest"
