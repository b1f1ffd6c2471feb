package critical

// Enough reports whether so many complete units of one type are worth a report: one
// is, but of the lives of goroutines only [MinLives] are.
func (k Kind) Enough(units int64) bool {
	if k == GoroutineLife {
		return units >= MinLives
	}
	return units > 0
}
