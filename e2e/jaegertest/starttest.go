package jaegertest

import (
	"context"
	"testing"
)

// StartTest starts a Jaeger that ends with the test, which fails if it cannot
// start or ends before. With -short, the test is skipped.
func StartTest(t testing.TB) *Jaeger {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Jaeger, which takes minutes to build the first time")
	}
	// The test's own context ends before its Cleanup functions run.
	j, err := Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}
