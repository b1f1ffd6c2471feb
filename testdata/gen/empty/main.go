// Command empty writes an execution trace that is stopped as soon as it has
// been started.
package main

import (
	"flag"
	"log"
	"os"
	"runtime/trace"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("empty: ")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: empty output-file")
	}
	if err := run(flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

func run(output string) error {
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	if err := trace.Start(f); err != nil {
		return err
	}
	trace.Stop()
	return f.Close()
}
