#!/usr/bin/env bash
# run.sh [FLAGS...] runs Jaeger with its default configuration: it keeps traces in
# memory, and listens on localhost only, where port 4318 takes spans and 16686
# answers queries. The first run builds it, which takes minutes. The program is
# the one that the tests use, without the UI: see build.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(go -C "$here" list -m -f '{{.Version}}' github.com/jaegertracing/jaeger)
program=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trace2x}/jaeger-${version#v}/jaeger
"$here/build.sh" "$program"
exec "$program" "$@"
