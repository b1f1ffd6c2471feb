package plot

import (
	"strings"
	"testing"
	"time"
)

// Ticks are round, exact, and told apart by their labels.
func TestTicks(t *testing.T) {
	for _, test := range []struct {
		axis Axis
		want string
	}{
		{Axis{0, 1211413185}, "0, 0.2 s, 0.4 s, 0.6 s, 0.8 s, 1.0 s, 1.2 s"},
		{Axis{0, 900 * time.Microsecond}, "0, 200 µs, 400 µs, 600 µs, 800 µs"},
		{Axis{1_000_000_000, 1_000_000_600}, "1.0000000 s, 1.0000001 s, 1.0000002 s, 1.0000003 s, 1.0000004 s, 1.0000005 s, 1.0000006 s"},
		{Axis{5, 5}, "5 ns"},
	} {
		var labels []string
		for _, tick := range test.axis.Ticks(8) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, ", "); got != test.want {
			t.Errorf("%v: %s, want %s", test.axis, got, test.want)
		}
	}
}

// The outline of an area goes along its steps and back, and leaves out what is 0.
func TestBetween(t *testing.T) {
	for _, test := range []struct {
		low, high []float64
		want      string
	}{
		{[]float64{0, 0, 0}, []float64{1, 1, 2}, "M0 50H2V0H3V100H0Z"},
		{[]float64{0, 0, 0, 0}, []float64{0, 2, 0, 1}, "M1 0H2V100H1ZM3 50H4V100H3Z"},
		{[]float64{1, 0}, []float64{2, 1}, "M0 0H1V50H2V100H1V50H0Z"},
		{[]float64{0}, []float64{0}, ""},
	} {
		if got := between(test.low, test.high, 2); got != test.want {
			t.Errorf("%v to %v: %s, want %s", test.low, test.high, got, test.want)
		}
	}
}

// Names are text.
func TestEscaped(t *testing.T) {
	const name = `"><script>alert(1)</script>`
	drawn := string(Dots(Axis{0, 10}, []Dot{{Class: "a", Title: name, Href: name}}, []Shade{{Class: "b", To: 5, Title: name}})) +
		string(Rows(Axis{0, 10}, 1, []Span{{To: 5, Title: name, Href: name}})) +
		string(Histogram([]Bar{{Label: name, Title: name, Href: name, Value: 1}}, 50)) +
		string(Stack([]Part{{Value: 1, Title: name}}, 1)) + string(Curve([]float64{0}, []float64{1}, []string{name})) +
		string(Heat(Axis{0, 10}, Buckets{0, 1}, 1, []Cell{{To: 1, Level: 1, Title: name}}))
	if strings.Contains(drawn, "<script") {
		t.Error(drawn)
	}
}

func TestCeiling(t *testing.T) {
	for x, want := range map[float64]float64{0: 1, .3: .3, 1: 1, 1.01: 1.5, 7: 8, 46: 50, 999: 1000} {
		if got := Ceiling(x); got < want*(1-1e-9) || got > want*(1+1e-9) {
			t.Errorf("Ceiling(%g) is %g, want %g", x, got, want)
		}
	}
}
