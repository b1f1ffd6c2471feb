package perfetto_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"regexp"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

func ExampleConvert() {
	in, err := os.Open("../../testdata/traces/chain.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer // or a file, for ui.perfetto.dev
	sum, err := perfetto.Convert(context.Background(), in, &out, perfetto.Options{
		MinBlock:  perfetto.DefaultMinBlock,
		Selection: model.Selection{Func: regexp.MustCompile(`^main\.goroutine`)}, // without it, all goroutines
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Goroutines, "goroutines read,", out.Len() > 1000)
	// Output: 13 goroutines read, true
}
