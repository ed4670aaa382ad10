#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one after the other, and stops at the first finding.
# Coverage of a live server is never the same twice, so minimising is bounded: it would take all the time.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
time=${FUZZTIME:-20s}
n=0
for package in $("$go" list ./...); do
	for target in $("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target ($time)"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$package"
		n=$((n + 1))
	done
done
echo "$n fuzz targets without a finding"
