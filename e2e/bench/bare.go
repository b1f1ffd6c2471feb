package main

import (
	"fmt"
	"io"
	"os"

	exptrace "golang.org/x/exp/trace"
)

// bare reads a trace and throws its events away: what all is measured against.
// It prints their number.
func bare(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := exptrace.NewReader(f)
	if err != nil {
		return err
	}
	events := 0
	for {
		if _, err := r.ReadEvent(); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		events++
	}
	fmt.Println(events)
	return nil
}
