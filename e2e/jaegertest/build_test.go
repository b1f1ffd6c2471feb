package jaegertest

import "testing"

func TestCached(t *testing.T) {
	for _, test := range []struct{ trace2x, xdg, home, want string }{
		{"/t", "/x", "/h", "/t/jaeger-1.76.0/jaeger"},
		{"", "/x", "/h", "/x/trace2x/jaeger-1.76.0/jaeger"},
		{"", "", "/h", "/h/.cache/trace2x/jaeger-1.76.0/jaeger"},
		{"", "", "", ""},
	} {
		t.Setenv("TRACE2X_CACHE", test.trace2x)
		t.Setenv("XDG_CACHE_HOME", test.xdg)
		t.Setenv("HOME", test.home)
		if got, err := cached(); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %s, %v", test, got, err)
		}
	}
}
