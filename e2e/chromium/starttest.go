package chromium

import "testing"

// StartTest starts a browser that ends with the test, which fails if it cannot
// start or does not end well. With -short, the test is skipped.
func StartTest(t testing.TB, flags ...string) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Chromium")
	}
	b, err := Start(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}
