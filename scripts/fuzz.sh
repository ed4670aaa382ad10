#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after the other, and stops at the first finding.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
time=${FUZZTIME:-20s}
n=0
for package in $("$go" list ./...); do
	for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target ($time)"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
		n=$((n + 1))
	done
done
echo "$n fuzz targets without a finding"
