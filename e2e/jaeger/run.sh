#!/usr/bin/env bash
# run.sh [FLAGS...] runs Jaeger's all-in-one on its default ports (4318 takes
# spans, 16686 answers queries), after building it on first use, which takes
# minutes. The program is the one that the tests use, without the UI: see
# build.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(go -C "$here" list -m -f '{{.Version}}' github.com/jaegertracing/jaeger)
program=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trace2x}/jaeger-${version#v}/all-in-one
"$here/build.sh" "$program"
exec "$program" "$@"
