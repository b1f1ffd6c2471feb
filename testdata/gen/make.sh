#!/bin/sh
# Makes the traces in testdata/traces again: all of them, or those named.
#
#	make.sh [name.trace ...]
#
# Each program is built in a directory of its own, outside of any module, with
# the version of Go that the name of its trace ends in. The local Go makes the
# others and should be Go 1.26.
set -eu

gen=$(cd "$(dirname "$0")" && pwd)
traces=$(dirname "$gen")/traces
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# toolchain go1.N: which release makes the traces of that version.
toolchain() {
	case $1 in
	local) echo local ;;
	go1.21) echo go1.21.13 ;;
	go1.22) echo go1.22.12 ;;
	go1.23) echo go1.23.12 ;;
	go1.24) echo go1.24.11 ;;
	go1.25) echo go1.25.5 ;;
	*) echo "make.sh: no toolchain for $1" >&2 && return 1 ;;
	esac
}

# go_of go1.N args: runs the go command of that version.
go_of() {
	version=$1
	shift
	if [ "$version" != go1.19 ]; then
		GOTOOLCHAIN=$(toolchain "$version") GOWORK=off GOFLAGS= go "$@"
		return
	fi
	if [ ! -x /usr/lib/go-1.19/bin/go ]; then
		apt-get install -y golang-1.19-go >&2
	fi
	GOROOT=/usr/lib/go-1.19 GOWORK=off GOFLAGS= /usr/lib/go-1.19/bin/go "$@"
}

# build go1.N program: prints the path of the binary. A program that needs other
# modules is one itself.
build() {
	dir=$tmp/$1/$2
	if [ -f "$gen/$2/go.mod" ]; then
		(cd "$gen/$2" && go_of "$1" build -trimpath -buildvcs=false -o "$dir/$2" . >&2)
	fi
	if [ ! -x "$dir/$2" ]; then
		mkdir -p "$dir"
		cp "$gen/$2"/*.go "$dir"
		lang=${1#go}
		if [ "$1" = local ]; then
			lang=1.26
		fi
		printf 'module github.com/trace2x/trace2x/testdata/gen/%s\n\ngo %s\n' "$2" "$lang" >"$dir/go.mod"
		(cd "$dir" && go_of "$1" build -trimpath -buildvcs=false -o "$2" . >&2)
	fi
	echo "$dir/$2"
}

# record go1.N program output args: runs the program.
record() {
	binary=$(build "$1" "$2")
	output=$3
	shift 3
	"$binary" "$@" "$output"
}

# idle go1.N output: a trace of four generations with little in each of them.
idle() {
	record "$1" httpserver "$2" -d 3500ms -clients 1 -pause 250ms -heap 0 -garbage 4
}

# small go1.N output: the HTTP server for a shorter time.
small() {
	record "$1" httpserver "$2" -d 300ms -clients 3
}

make_trace() {
	out=$traces/$1
	case $1 in
	httpserver.trace) record local httpserver "$out" ;;
	httpserver-go1.*.trace)
		version=${1#httpserver-}
		small "${version%.trace}" "$out"
		;;
	leak-go1.21.trace) record go1.21 leak "$out" ;;
	flightrecorder-go1.25.trace) record go1.25 flightrecorder "$out" ;;
	truncated-go1.21.trace)
		small go1.21 "$tmp/whole-go1.21.trace"
		record local damage "$out" -from "$tmp/whole-go1.21.trace" -half
		;;
	truncated.trace)
		idle local "$tmp/idle.trace"
		record local damage "$out" -from "$tmp/idle.trace" -truncate
		;;
	damaged.trace)
		idle local "$tmp/idle.trace"
		record local damage "$out" -from "$tmp/idle.trace" -corrupt
		;;
	load.trace | damage.trace)
		echo "make.sh: $1 is not one of the traces" >&2
		return 1
		;;
	*.trace)
		program=${1%.trace}
		if [ ! -f "$gen/$program/main.go" ]; then
			echo "make.sh: no program makes $1" >&2
			return 1
		fi
		record local "$program" "$out"
		;;
	*)
		echo "make.sh: $1 is not the name of a trace" >&2
		return 1
		;;
	esac
	echo "$1: $(wc -c <"$out") bytes"
}

if [ $# -eq 0 ]; then
	set -- httpserver.trace pipeline.trace leak.trace syscalls.trace cgo.trace \
		cpuprofile.trace flightrecorder.trace empty.trace chain.trace \
		states.trace manytasks.trace gc.trace spanlink.trace slow.trace \
		httpserver-go1.19.trace httpserver-go1.21.trace \
		httpserver-go1.22.trace httpserver-go1.23.trace \
		httpserver-go1.24.trace httpserver-go1.25.trace \
		leak-go1.21.trace flightrecorder-go1.25.trace \
		truncated.trace damaged.trace truncated-go1.21.trace
fi
mkdir -p "$traces"
for name; do
	make_trace "$name"
done
