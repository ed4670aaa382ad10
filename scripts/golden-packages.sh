#!/usr/bin/env bash
# Lists the packages whose tests know the -update flag.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rlE 'flag\.Bool\("update"' --include='*_test.go' . | xargs -r -n1 dirname | sort -u
