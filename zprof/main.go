package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/trace2x/trace2x/convert/perfetto"
	"github.com/trace2x/trace2x/model"
)

func main() {
	debug.SetGCPercent(50)
	f, _ := os.Open(os.Args[1])
	if len(os.Args) > 3 {
		p, _ := os.Create(os.Args[3])
		pprof.StartCPUProfile(p)
		defer pprof.StopCPUProfile()
	}
	s := time.Now()
	switch os.Args[2] {
	case "perfetto":
		sum, err := perfetto.Convert(context.Background(), f, io.Discard, perfetto.Options{MinBlock: perfetto.DefaultMinBlock})
		fmt.Println(sum.Events, err)
	case "model":
		sum, err := model.Read(context.Background(), f, model.NopSink{})
		fmt.Println(sum.Events, err)
	}
	fmt.Println(time.Since(s))
}
