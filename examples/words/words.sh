#!/bin/sh
# Any program as a node: a task counts the words of a file. What it prints is in
# `muster logs NODE`; its exit status is the task's.
#
#	muster agent --purpose words -- sh examples/words/words.sh {task}
#	muster run words README.md --wait
set -eu
test -r "$1" || { echo "no file $1" >&2; exit 1; }
echo "$MUSTER_NODE counts $1"
wc -w <"$1"
