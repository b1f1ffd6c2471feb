package report

import (
	"fmt"
	"time"

	"github.com/trace2x/trace2x/model"
)

// Duration is a duration as people read it: three digits and a unit.
func Duration[T model.Time | time.Duration](t T) string {
	sign, d := "", float64(t)
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < 999.5:
		return fmt.Sprintf("%s%.0fns", sign, d)
	case d < 999.5e3:
		return sign + digits(d/1e3) + "µs"
	case d < 999.5e6:
		return sign + digits(d/1e6) + "ms"
	case d < 99.95e9:
		return sign + digits(d/1e9) + "s"
	}
	return time.Duration(t).Round(time.Second).String()
}

// digits writes a number below 1000 with three digits.
func digits(x float64) string {
	switch {
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// size is a number of bytes as people read it.
func size(n uint64) string {
	switch x := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case x < 999.5e3:
		return digits(x/1e3) + " kB"
	case x < 999.5e6:
		return digits(x/1e6) + " MB"
	default:
		return digits(x/1e9) + " GB"
	}
}
