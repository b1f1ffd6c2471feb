// Package spelling finds what somebody may have meant who wrote something else.
package spelling

import (
	"cmp"
	"slices"
	"strings"
)

// Near returns the names that are similar to a name, the most similar first.
func Near(name string, names []string) (near []string) {
	for _, n := range names {
		if Similar(name, n) {
			near = append(near, n)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	return near
}

// Similar reports whether somebody who wrote name may have meant another one.
func Similar(name, other string) bool {
	return distance(name, other) <= 1+len(name)/4 || len(name) > 1 && strings.HasPrefix(other, name)
}

// DidYouMean returns the end of an error: what may have been meant, "" for nothing.
func DidYouMean(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(list, " or ") + "?"
}

// distance returns how many characters must be changed, added, removed or exchanged with
// the next one to turn a into b.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			changed := last[j]
			if a[i] != b[j] {
				changed++
			}
			row[j+1] = min(changed, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
