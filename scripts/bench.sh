#!/usr/bin/env bash
# Runs the Go benchmarks and the load client, writes bench.new and compares it with the committed docs/bench.txt.
# To make a new baseline, read bench.new and copy it: cp bench.new docs/bench.txt
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
count=${COUNT:-6}
{
	echo "# $(date -u +%Y-%m-%d), $(git rev-parse --short HEAD 2>/dev/null || echo 'no commit'), $("$go" version), $(nproc) cores"
	"$go" test -run '^$' -bench . -benchmem -count "$count" ./...
	# The load client measures the program from outside, with its own ceiling beside every figure.
	"$go" run ./internal/load -program bin/tocsin -only authors,kept,fanout,latency,idle,start
} | tee bench.new
if [ -f docs/bench.txt ]; then
	.tools/benchstat docs/bench.txt bench.new
fi
