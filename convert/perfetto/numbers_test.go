package perfetto

import "testing"

// What the UI's own code, v55.3, computes for these pids, and for the first 200,000.
func TestPaletteIndex(t *testing.T) {
	for pid, want := range map[int32]int{
		2: 1, 3: 0, 11: 2, 13: 6, 15: 16, 17: 2, 27: 12, 29: 0, 37: 12, 45: 2, 60: 12, 64: 16, 100: 14,
		1234: 0, 99999: 6, 1234567: 10, 2147483647: 16,
	} {
		if got := paletteIndex(pid); got != want {
			t.Errorf("pid %d has color %d, want %d", pid, got, want)
		}
	}
	sum := 0
	for pid := range int32(199_999) {
		sum = (sum*31 + paletteIndex(pid+1)) % 1_000_000_007
	}
	if sum != 915596704 {
		t.Errorf("checksum %d", sum)
	}
}

// Numbers are unique, and the first processes have different colors.
func TestNumbers(t *testing.T) {
	var n numbers
	taken := make(map[int32]bool)
	used := make(map[int]bool)
	take := func(id int32) {
		t.Helper()
		if id <= 1 || taken[id] {
			t.Fatalf("number %d", id)
		}
		taken[id] = true
	}
	for i := range 1000 {
		for range i % 40 {
			take(n.tid())
		}
		pid := n.pid(i == 500)
		take(pid)
		if c := paletteIndex(pid); i < len(colors) && used[c] || i == 500 && c != runtimeColor || i != 500 && c == runtimeColor {
			t.Errorf("process %d has color %d", i, c)
		} else {
			used[c] = true
		}
	}
	if len(n.pids) > 1000 {
		t.Errorf("%d numbers are remembered", len(n.pids))
	}
}
