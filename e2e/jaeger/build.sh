#!/usr/bin/env bash
# build.sh DEST builds Jaeger v2 into the file DEST. A DEST that is already that
# program stays as it is. go.mod beside this script has the version: Jaeger's
# module has a number of its own, v1.76.0 is Jaeger v2.13.0. The script needs go,
# and the Go module proxy the first time. The program has a placeholder instead
# of the UI, because a module does not ship the built UI.
set -euo pipefail

module=github.com/jaegertracing/jaeger
package=$module/cmd/jaeger

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
    awk -v p="$package" -v m="$module" -v v="$version" '
      $1 == "path" && $2 == p { path = 1 }
      $1 == "mod" && $2 == m && $3 == v { mod = 1 }
      END { exit !(path && mod) }'
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

staging=$(mktemp -d "$folder/.jaeger.XXXXXX")
trap 'rm -rf "$staging"' EXIT
go -C "$here" build -trimpath -ldflags='-s -w' -o "$staging/jaeger" "$package"
mv -f "$staging/jaeger" "$dest"
