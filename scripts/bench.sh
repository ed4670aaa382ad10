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
	if [ -d internal/load ] && "$go" list -f '{{.Name}}' ./internal/load/... | grep -qx main; then
		"$go" run "$("$go" list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./internal/load/... | grep . | head -1)"
	fi
} | tee bench.new
if [ -f docs/bench.txt ]; then
	.tools/benchstat docs/bench.txt bench.new
fi
