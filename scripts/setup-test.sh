#!/usr/bin/env bash
# Installs the Debian packages that the tests use. Without them, and without the right to install them, the tests
# that need them are left out and say so.
set -euo pipefail

# program:package
wanted=(xmllint:libxml2-utils)

missing=()
for w in "${wanted[@]}"; do
	command -v "${w%%:*}" >/dev/null || missing+=("${w##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "tests: ${missing[*]} not found and this is no Debian: install them by hand to run every test" >&2
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "tests: ${missing[*]} not found; some tests will be left out. To run every test:" >&2
	echo "    sudo apt-get install ${missing[*]}" >&2
	exit 0
fi
echo "tests: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
	echo "tests: installing ${missing[*]} failed; the tests that need them will be left out" >&2
