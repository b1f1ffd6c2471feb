package pprof_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/google/pprof/profile"

	"github.com/trace2x/trace2x/convert/pprof"
)

func ExampleConvert() {
	in, err := os.Open("../../testdata/traces/states.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer // or a file, for go tool pprof
	if _, err := pprof.Convert(context.Background(), in, &out, pprof.Options{Type: pprof.Sync}); err != nil {
		log.Fatal(err)
	}
	p, err := profile.Parse(&out)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range p.SampleType {
		fmt.Println(t.Type, t.Unit)
	}
	// Output:
	// contentions count
	// delay nanoseconds
}
