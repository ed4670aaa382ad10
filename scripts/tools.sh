#!/usr/bin/env bash
# Puts a tool in its pinned version (scripts/tools.txt) into .tools/: links one of that version found in PATH,
# else builds it with `go install`.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
[ $# -eq 1 ] || { echo "usage: scripts/tools.sh NAME" >&2; exit 2; }
read -r name module version < <(awk -v n="$1" '$1 == n {print $1, $2, $3}' scripts/tools.txt) ||
	{ echo "scripts/tools.sh: no tool named $1 in scripts/tools.txt" >&2; exit 2; }

# has PROGRAM says whether PROGRAM was built from the wanted version of the wanted module.
has() {
	[ -x "$1" ] && "$go" version -m "$1" 2>/dev/null |
		awk -v p="$module" -v v="$version" '$1 == "path" {path = $2} $1 == "mod" {mod = $3} END {exit !(path == p && mod == v)}'
}

mkdir -p .tools
has ".tools/$name" && exit 0
found=$(command -v "$name" || true)
if [ -n "$found" ] && has "$found"; then
	ln -sf "$found" ".tools/$name"
	exit 0
fi
echo "installing $name $version into .tools/ (once; this takes a few minutes)"
rm -f ".tools/$name"
GOBIN="$PWD/.tools" CGO_ENABLED=0 GOFLAGS=-mod=mod "$go" install "$module@$version"
