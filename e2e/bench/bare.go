package main

import (
	"fmt"
	"os"

	"github.com/trace2x/trace2x/internal/decode"
)

// bare reads a trace, throws its events away, and prints their number. All else is
// measured against it.
func bare(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	events, err := decode.ReadBare(f)
	if err != nil {
		return err
	}
	fmt.Println(events)
	return nil
}
