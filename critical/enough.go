package critical

// Enough reports whether a type with this many complete units is worth a report. One
// unit is enough, except for lives of goroutines, which need [MinLives].
func (k Kind) Enough(units int64) bool {
	if k == GoroutineLife {
		return units >= MinLives
	}
	return units > 0
}
