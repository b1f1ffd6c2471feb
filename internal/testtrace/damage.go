package testtrace

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
)

// Versions returns the names of traces in the formats of all versions, small ones.
func Versions() []string {
	return []string{"httpserver-go1.19", "leak-go1.21", "httpserver-go1.22", "httpserver-go1.23", "flightrecorder-go1.25", "flightrecorder", "states"}
}

// Damaged yields damaged traces of each of Versions, with what was done to them. About n
// are cut, and in about n up to 64 bytes are overwritten, at offsets all over the trace.
// With -short there are fewer.
func Damaged(t testing.TB, n int) iter.Seq2[string, []byte] {
	if testing.Short() {
		n = (n + 9) / 10
	}
	return func(yield func(string, []byte) bool) {
		for i, name := range Versions() {
			whole := Data(t, name)
			random := rand.New(rand.NewPCG(3, uint64(i)))
			each := (n + len(Versions()) - 1) / len(Versions())
			for k := range each {
				at := (len(whole)*k + random.IntN(len(whole))) / each
				if !yield(fmt.Sprintf("%s, cut at byte %d", name, at), whole[:at]) {
					return
				}
				bad := bytes.Clone(whole)
				size := 1 + random.IntN(64)
				for j := at; j < min(at+size, len(bad)); j++ {
					bad[j] = byte(random.Uint32())
				}
				if !yield(fmt.Sprintf("%s, %d bytes overwritten from byte %d on", name, size, at), bad) {
					return
				}
			}
		}
	}
}
