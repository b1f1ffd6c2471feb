package goexectracereceiver

import (
	"runtime/debug"
	"sync"
)

// version is that of trace2x in the Collector, "" if the build does not tell.
var version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/trace2x/trace2x" {
			if m.Replace != nil { // a checkout
				return m.Replace.Version
			}
			return m.Version
		}
	}
	return ""
})
